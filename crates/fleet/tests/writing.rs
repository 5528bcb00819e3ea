//! How a tree gets to a folder in which others write too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use lifeboat_fleet::{Tree, Written};

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.add(*path, (*text).to_owned());
    }
    tree
}

fn paths(paths: &[PathBuf]) -> Vec<&str> {
    paths.iter().map(|path| path.to_str().unwrap()).collect()
}

/// Every file and link below a folder, with what stands there.
fn all(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => waiting.push(entry.path()),
                false => {
                    let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
                    found.push((name, fs::read_to_string(entry.path()).unwrap_or_default()));
                }
            }
        }
    }
    found.sort();
    found.retain(|(name, _)| name != ".lifeboat-render.json");
    found
}

fn as_pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_second_rendering_writes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(&[("a.yml", "a"), ("deep/er/b.yml", "b")]);
    let stamps = || {
        let files = ["a.yml", "deep/er/b.yml", ".lifeboat-render.json", "deep/er", "."];
        files.map(|name| {
            let found = fs::metadata(folder.path().join(name)).unwrap();
            (found.ino(), found.mtime(), found.mtime_nsec(), found.ctime_nsec())
        })
    };
    assert_eq!(paths(&tree.write(folder.path()).unwrap().changed), ["a.yml", "deep/er/b.yml"]);
    let first = stamps();
    let again = tree.write(folder.path()).unwrap();
    assert_eq!((again.is_nothing(), again.unchanged.len()), (true, 2));
    assert_eq!(stamps(), first);
}

#[test]
fn two_texts_under_one_path_are_told() {
    assert!(tree(&[("a.yml", "a"), ("b.yml", "b")]).whole().is_ok());
    let told = tree(&[("a.yml", "a"), ("b.yml", "b"), ("a.yml", "c")]).whole().unwrap_err();
    assert_eq!(told, "two files would be a.yml: give a fleet or an endpoint another name");
}

#[test]
fn what_others_wrote_stays_and_what_is_no_longer_rendered_goes() {
    let folder = tempfile::tempdir().unwrap();
    tree(&[("rules/a.yml", "a"), ("rules/b.yml", "b"), ("old/c.yml", "c")]).write(folder.path()).unwrap();
    fs::write(folder.path().join("rules/mine.yml"), "mine").unwrap();
    let written = tree(&[("rules/a.yml", "a2")]).write(folder.path()).unwrap();
    assert_eq!(paths(&written.changed), ["rules/a.yml"]);
    assert_eq!(paths(&written.removed), ["old/c.yml", "rules/b.yml"]);
    assert_eq!(all(folder.path()), as_pairs(&[("rules/a.yml", "a2"), ("rules/mine.yml", "mine")]));
    assert!(!folder.path().join("old").exists());
}

#[test]
fn what_was_changed_by_hand_stops_it_and_force_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    tree(&[("a.yml", "a"), ("b.yml", "b"), ("gone.yml", "g")]).write(folder.path()).unwrap();
    fs::write(at("a.yml"), "by hand").unwrap();
    fs::write(at("gone.yml"), "by hand").unwrap();
    fs::write(at("new.yml"), "was here before").unwrap();
    let next = tree(&[("a.yml", "a2"), ("b.yml", "b2"), ("new.yml", "n")]);
    let before = all(folder.path());
    let refusal = next.write(folder.path()).unwrap_err();
    assert!(refusal.is_by_hand());
    let told = refusal.to_string();
    assert!(["a.yml", "gone.yml", "new.yml", "--force"].iter().all(|word| told.contains(word)), "{told}");
    assert!(!told.contains("b.yml"), "{told}");
    assert_eq!(all(folder.path()), before);
    let Written { kept, .. } = next.write_with_force(folder.path()).unwrap();
    assert_eq!(paths(&kept), ["a.yml.orig", "gone.yml.orig", "new.yml.orig"]);
    let after = [
        ("a.yml", "a2"),
        ("a.yml.orig", "by hand"),
        ("b.yml", "b2"),
        ("gone.yml.orig", "by hand"),
        ("new.yml", "n"),
        ("new.yml.orig", "was here before"),
    ];
    assert_eq!(all(folder.path()), as_pairs(&after));
    assert!(next.write(folder.path()).unwrap().is_nothing());
    fs::write(at("a.yml"), "by hand again").unwrap();
    assert_eq!(paths(&next.write_with_force(folder.path()).unwrap().kept), ["a.yml.orig.2"]);
    // What is so already is right, whoever wrote it.
    fs::write(at("c.yml"), "c").unwrap();
    let with = tree(&[("a.yml", "a2"), ("b.yml", "b2"), ("c.yml", "c"), ("new.yml", "n")]);
    assert!(with.write(folder.path()).unwrap().is_nothing());
}

#[test]
fn a_comparison_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    assert_eq!(paths(&tree(&[("a.yml", "a")]).compare(&out).unwrap().changed), ["a.yml"]);
    assert!(!out.exists());
    tree(&[("a.yml", "a"), ("b.yml", "b")]).write(&out).unwrap();
    let seen = tree(&[("a.yml", "a2")]).compare(&out).unwrap();
    assert_eq!((paths(&seen.changed), paths(&seen.removed)), (vec!["a.yml"], vec!["b.yml"]));
    assert_eq!(all(&out), as_pairs(&[("a.yml", "a"), ("b.yml", "b")]));
}

#[test]
fn no_link_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (out, outside) = (folder.path().join("out"), folder.path().join("outside"));
    fs::create_dir_all(&out).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("a.yml"), "theirs").unwrap();
    symlink(&outside, out.join("rules")).unwrap();
    let told = tree(&[("rules/a.yml", "a")]).write_with_force(&out).unwrap_err().to_string();
    assert!(told.contains("out/rules: is a symbolic link"), "{told}");
    fs::remove_file(out.join("rules")).unwrap();
    // A file that is one: never written through, and set aside by force.
    symlink(outside.join("a.yml"), out.join("a.yml")).unwrap();
    symlink(outside.join("a.yml"), out.join(".b.yml.lifeboat-new")).unwrap();
    let both = tree(&[("a.yml", "a"), ("b.yml", "b")]);
    assert!(both.write(&out).unwrap_err().is_by_hand());
    assert_eq!(paths(&both.write_with_force(&out).unwrap().kept), ["a.yml.orig"]);
    assert_eq!(fs::read_to_string(outside.join("a.yml")).unwrap(), "theirs");
    assert_eq!(fs::read_to_string(out.join("b.yml")).unwrap(), "b");
    // Nor does a path, or a manifest that somebody wrote, lead out.
    assert!(tree(&[("../outside/a.yml", "a")]).write(&out).is_err());
    let sum = "7d5a0ef8ee93a26bd3b2d0d8b7c2d1d1c9d6e5f9c2a1b0e8f7d6c5b4a3928170";
    let text = format!(r#"{{"version":1,"files":{{"../outside/a.yml":"{sum}"}}}}"#);
    fs::write(out.join(".lifeboat-render.json"), text).unwrap();
    let told = both.write(&out).unwrap_err().to_string();
    assert!(told.contains("leads out of the folder"), "{told}");
}

#[test]
fn a_rendering_that_was_interrupted_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    tree(&[("a.yml", "a"), ("b.yml", "b")]).write(folder.path()).unwrap();
    // As a kill between two renames leaves it: the manifest of a rendering to "2" that is under way, one file renamed.
    let manifest = fs::read_to_string(at(".lifeboat-render.json")).unwrap();
    tree(&[("a.yml", "a2"), ("b.yml", "b2")]).write(folder.path()).unwrap();
    let new = fs::read_to_string(at(".lifeboat-render.json")).unwrap();
    let files = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["files"].clone();
    let under_way =
        serde_json::json!({ "version": 1, "files": files(&manifest), "unfinished": files(&new) }).to_string();
    let interrupt = || {
        fs::write(at(".lifeboat-render.json"), &under_way).unwrap();
        fs::write(at("a.yml"), "a2").unwrap();
        fs::write(at("b.yml"), "b").unwrap();
        fs::write(at(".b.yml.lifeboat-new"), "b2").unwrap();
    };
    for next in ["2", "3"] {
        interrupt();
        let (a, b) = (format!("a{next}"), format!("b{next}"));
        tree(&[("a.yml", &a), ("b.yml", &b)]).write(folder.path()).unwrap();
        assert_eq!(all(folder.path()), as_pairs(&[("a.yml", &a), ("b.yml", &b)]));
        assert!(!fs::read_to_string(at(".lifeboat-render.json")).unwrap().contains("unfinished"));
    }
}

#[test]
fn a_text_that_cannot_be_written_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    tree(&[("a.yml", "a"), ("z.yml", "z")]).write(folder.path()).unwrap();
    // The name under which z's text would wait is taken by a folder that is not empty.
    fs::create_dir_all(folder.path().join(".z.yml.lifeboat-new/full")).unwrap();
    let told = tree(&[("a.yml", "a2"), ("z.yml", "z2")]).write(folder.path()).unwrap_err().to_string();
    assert!(told.contains(".z.yml.lifeboat-new"), "{told}");
    assert_eq!(all(folder.path()), as_pairs(&[("a.yml", "a"), ("z.yml", "z")]));
}

#[test]
fn what_stands_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let cases: [(&str, &str, &str); 3] = [
        ("out", "a.yml", "is a file: name a folder"),
        ("file/out", "a.yml", "Not a directory"),
        ("folder", "deep/a.yml", "deep: is a file where a folder is needed"),
    ];
    fs::write(at("out"), "").unwrap();
    fs::write(at("file"), "").unwrap();
    fs::create_dir_all(at("folder/b.yml")).unwrap();
    fs::write(at("folder/deep"), "").unwrap();
    for (out, path, told) in cases {
        let refusal = tree(&[(path, "a")]).write(&at(out)).unwrap_err().to_string();
        assert!(refusal.contains(told), "{refusal}");
    }
    let refusal = tree(&[("b.yml", "b")]).write(&at("folder")).unwrap_err().to_string();
    assert!(refusal.contains("b.yml: is a folder where a file is needed"), "{refusal}");
    fs::write(at("folder/.lifeboat-render.json"), "{").unwrap();
    let refusal = tree(&[("c.yml", "c")]).write(&at("folder")).unwrap_err().to_string();
    assert!(refusal.contains("is no manifest of a rendering"), "{refusal}");
}

#[test]
fn two_renderings_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let other = fs::File::open(folder.path()).unwrap();
    other.lock().unwrap();
    let refusal = tree(&[("a.yml", "a")]).write(folder.path()).unwrap_err().to_string();
    assert!(refusal.contains("another rendering is writing to it"), "{refusal}");
    drop(other);
    tree(&[("a.yml", "a")]).write(folder.path()).unwrap();
}

#[test]
fn what_is_longer_than_any_of_ours_is_somebody_elses_and_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(&[("a.yml", "a")]);
    let long = |name: &str, length| {
        fs::File::create(folder.path().join(name)).unwrap().set_len(length).unwrap();
    };
    long("a.yml", 1 << 40);
    assert!(tree.write(folder.path()).unwrap_err().is_by_hand());
    let written = tree.write_with_force(folder.path()).unwrap();
    assert_eq!((paths(&written.kept), paths(&written.changed)), (vec!["a.yml.orig"], vec!["a.yml"]));
    long(".lifeboat-render.json", 1 << 40);
    let told = tree.write(folder.path()).unwrap_err().to_string();
    assert!(told.contains("is no manifest of a rendering (longer than 64 MiB): take it away"), "{told}");
}
