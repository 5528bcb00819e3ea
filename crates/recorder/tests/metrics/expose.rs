//! The page: both formats, several sources, and what a memory that lies does to it.

use lifeboat_recorder::metrics::{Exposed, Format, Kind, Source, Wanted, expose};

use crate::scene::{Scene, counter, label, wanted};

fn page(sources: &[Source<'_>], format: Format) -> (String, Exposed) {
    let mut bytes = Vec::new();
    let exposed = expose(sources, format, &mut |piece| {
        bytes.extend_from_slice(piece);
        true
    });
    (String::from_utf8(bytes).unwrap(), exposed)
}

fn count(scene: &Scene, name: &str, labels: &[(&str, &str)], value: u64) {
    let labels: Vec<_> = labels.iter().map(|(name, value)| label(name, value)).collect();
    scene.metrics.add_shared(counter(scene, name, &labels).unwrap().slot, value);
}

/// A gauge, a counter and a histogram, with and without labels.
fn lived_in() -> Scene {
    let scene = Scene::new(100);
    let gauge =
        Wanted { unit: b"bytes", help: b"A \"quote\" and a \\.\n", ..wanted(Kind::Gauge, "size", &[]) };
    scene.metrics.set(scene.metrics.register(&gauge).unwrap().slot, -2.5);
    count(&scene, "messages", &[], 41);
    count(&scene, "messages", &[("topic", "a\"b\\c\nd"), ("empty", "")], u64::MAX);
    let histogram =
        Wanted { bounds: &[0.5, 1.0], unit: b"seconds", help: b"", ..wanted(Kind::Histogram, "delay", &[]) };
    let first = scene.metrics.register(&histogram).unwrap().slot;
    for (slot, value) in [(0, 3), (1, 2), (2, 4)] {
        scene.metrics.add_shared(first + slot, value);
    }
    scene.metrics.add_float(first + 3, 7.25);
    scene
}

#[test]
fn both_formats() {
    let scene = lived_in();
    let shown = |format| {
        let (page, exposed) = page(&[scene.source("")], format);
        assert_eq!(exposed, Exposed { series: 4, is_whole: true, ..Exposed::default() });
        page
    };
    let messages = "gossip_messages_total{topic=\"a\\\"b\\\\c\\nd\",empty=\"\"} 18446744073709551615\n\
                    gossip_messages_total 41\n";
    let text = shown(Format::Text);
    assert!(text.contains(&format!(
        "# HELP gossip_messages_total Help.\n# TYPE gossip_messages_total counter\n{messages}"
    )));
    assert!(text.contains(
        "# TYPE gossip_delay_seconds histogram\n\
         gossip_delay_seconds_bucket{le=\"0.5\"} 3\n\
         gossip_delay_seconds_bucket{le=\"1\"} 5\n\
         gossip_delay_seconds_bucket{le=\"+Inf\"} 9\n\
         gossip_delay_seconds_sum 7.25\n\
         gossip_delay_seconds_count 9\n"
    ));
    assert!(text.contains(
        "gossip_size_bytes A 'quote' and a \\\\. \n# TYPE gossip_size_bytes gauge\ngossip_size_bytes -2.5\n"
    ));
    let open = shown(Format::OpenMetrics);
    assert!(
        open.contains(&format!("# HELP gossip_messages Help.\n# TYPE gossip_messages counter\n{messages}"))
    );
    assert!(open.contains("# TYPE gossip_delay_seconds histogram\n# UNIT gossip_delay_seconds seconds\n"));
    assert!(open.contains("_bucket{le=\"1.0\"} 5\n"));
}

#[test]
fn one_family_of_several_sources_is_one() {
    let (chat, store, other) = (lived_in(), lived_in(), Scene::new(10));
    count(&store, "only_here", &[("module", "of its own"), ("x", "y")], 1);
    let gauge = other.metrics.register(&wanted(Kind::Gauge, "messages", &[])).unwrap();
    other.metrics.set(gauge.slot, 5.0);
    let sources =
        [chat.source("module=\"chat\""), store.source("module=\"store\""), other.source("module=\"other\"")];
    let (page, exposed) = page(&sources, Format::OpenMetrics);
    assert_eq!(exposed, Exposed { series: 9, conflicts: 1, is_whole: true, unreadable: 0 });
    assert_eq!(page.matches("# TYPE gossip_messages counter\n").count(), 1);
    assert_eq!(page.matches("# TYPE").count(), 4);
    let both = "gossip_messages_total{module=\"chat\"} 41\n\
                gossip_messages_total{module=\"store\",topic=\"a\\\"b\\\\c\\nd\",empty=\"\"} 18446744073709551615\n";
    assert!(page.contains(both), "{page}");
    assert!(page.contains("{module=\"store\",exported_module=\"of its own\",x=\"y\"} 1\n"));
    assert!(page.contains("gossip_delay_seconds_bucket{module=\"store\",le=\"+Inf\"} 9\n"));
    assert!(!page.contains("module=\"other\""));
}

#[test]
fn a_name_of_anothers_samples_is_left_out() {
    let (scene, other) = (Scene::new(100), Scene::new(100));
    let add = |scene: &Scene, kind, names: &[&str]| {
        for name in names {
            let slot = scene.metrics.register(&wanted(kind, name, &[])).unwrap().slot;
            scene.metrics.set(slot, 1.0);
        }
    };
    add(&scene, Kind::Gauge, &["x_total", "y_count", "y_total", "z_info", "w_total"]);
    add(&scene, Kind::Counter, &["x"]);
    add(&scene, Kind::Histogram, &["y"]);
    add(&other, Kind::Info, &["z"]);
    let (page, exposed) = page(&[scene.source(""), other.source("m=\"o\"")], Format::OpenMetrics);
    assert_eq!((exposed.conflicts, exposed.series), (3, 5));
    for name in ["x_total gauge", "y_count gauge", "z_info gauge"] {
        assert!(!page.contains(name), "{page}");
    }
}

#[test]
fn what_had_no_room_is_one_series() {
    let scene = Scene::new(2);
    for number in 0..5 {
        count(&scene, "m", &[("n", &number.to_string())], 10);
    }
    assert_eq!(
        page(&[scene.source("")], Format::Text).0,
        "# HELP gossip_m_total Help.\n# TYPE gossip_m_total counter\n\
         gossip_m_total{n=\"1\"} 10\ngossip_m_total{n=\"0\"} 10\ngossip_m_total{overflow=\"true\"} 30\n"
    );
}

#[test]
fn a_sum_that_may_go_down_is_none_in_openmetrics() {
    let scene = Scene::new(100);
    let histogram = Wanted { bounds: &[-1.0, 1.0], ..wanted(Kind::Histogram, "change", &[]) };
    scene.metrics.register(&histogram).unwrap();
    let sums = |format| page(&[scene.source("")], format).0.matches("_sum").count();
    assert_eq!((sums(Format::Text), sums(Format::OpenMetrics)), (1, 0));
}

#[test]
fn of_infos_the_one_that_holds_is_shown() {
    let scene = Scene::new(10);
    let set = |version: &str, value| {
        let labels = [label("version", version)];
        let info = scene.metrics.register(&wanted(Kind::Info, "build", &labels)).unwrap();
        scene.metrics.set(info.slot, value);
    };
    set("1", 0.0);
    assert_eq!(page(&[scene.source("")], Format::Text).0, "");
    set("2", 1.0);
    let head = |name: &str, kind: &str| {
        format!("# HELP {name} Help.\n# TYPE {name} {kind}\ngossip_build_info{{version=\"2\"}} 1\n")
    };
    assert_eq!(page(&[scene.source("")], Format::Text).0, head("gossip_build_info", "gauge"));
    assert_eq!(page(&[scene.source("")], Format::OpenMetrics).0, head("gossip_build", "info"));
}

#[test]
fn a_family_without_series_is_not_there() {
    let scene = Scene::new(1);
    count(&scene, "first", &[], 1);
    let _no_room = scene.metrics.register(&wanted(Kind::Gauge, "second", &[]));
    assert!(!page(&[scene.source("")], Format::Text).0.contains("second"));
}

#[test]
fn a_taken_over_memory_shows_the_same() {
    let former = lived_in();
    let next = Scene::new(100);
    next.metrics.take_over(former.metrics, true);
    count(&next, "messages", &[("topic", "new")], 1);
    count(&former, "messages", &[("topic", "new")], 1);
    assert_eq!(page(&[next.source("")], Format::Text), page(&[former.source("")], Format::Text));
    let child = Scene::new(100);
    child.metrics.take_over(former.metrics, false);
    let (shown, exposed) = page(&[child.source("")], Format::Text);
    assert!(exposed.series == 5 && shown.contains("gossip_messages_total 0\n"), "{shown}");
}

#[test]
fn a_series_that_came_while_its_memory_was_taken_over_is_shown() {
    let former = lived_in();
    let (families, size) = former.snapshot().families_range();
    // As copied before the series was linked, while the series itself was copied after.
    for family in (families..families + size).step_by(1024) {
        former.spoil(family + 12, &0_u32.to_le_bytes());
    }
    assert_eq!(page(&[former.source("")], Format::Text).1.series, 0);
    let next = Scene::new(100);
    next.metrics.take_over(former.metrics, true);
    assert_eq!(page(&[next.source("")], Format::Text).1.series, 4);
}

#[test]
fn the_labels_of_the_rest_are_the_rest() {
    let scene = Scene::new(2);
    count(&scene, "m", &[("overflow", "true")], 1);
    for number in 0..3 {
        count(&scene, "m", &[("n", &number.to_string())], 1);
    }
    count(&scene, "m", &[("overflow", "true"), ("none", "")], 1);
    let (shown, exposed) = page(&[scene.source("")], Format::Text);
    assert!(exposed.series == 3 && shown.contains("gossip_m_total{overflow=\"true\"} 3\n"), "{shown}");
    assert_eq!(scene.snapshot().overflowed, 1);
}

#[test]
fn links_that_go_round_are_no_more_work_with_many_families() {
    let scene = Scene::new(10);
    for number in 0..9 {
        count(&scene, &format!("m{number}"), &[], 1);
    }
    let (series, _) = scene.snapshot().series_range(0);
    for number in 0..9_u32 {
        // Each is followed by itself.
        scene.spoil(series + 32 * number as usize + 16, &(number + 1).to_le_bytes());
    }
    assert_eq!(page(&[scene.source("")], Format::Text).1.series, 10);
    let source = [scene.source("")];
    assert_eq!(page(&source, Format::Text), page(&source, Format::Text), "each page has as much");
}

#[test]
fn a_sink_that_wants_no_more_gets_no_more() {
    let scene = lived_in();
    let mut pieces = 0;
    let exposed = expose(&[scene.source("")], Format::Text, &mut |_| {
        pieces += 1;
        false
    });
    assert!(pieces == 1 && !exposed.is_whole);
}

#[test]
fn labels_that_lie_do_not_break_the_page() {
    let shown = |from: &str, to: &[u8], labels| {
        let scene = Scene::new(10);
        count(&scene, "m", &[("a", "12345678"), ("b", "12345678")], 1);
        let (start, size) = scene.snapshot().labels_range(
            &scene.snapshot().series(&scene.copy(scene.snapshot().series_range(0)), 0).unwrap(),
        );
        let stored = String::from_utf8(scene.copy((start, size))).unwrap();
        scene.spoil(start + stored.find(from).unwrap(), to);
        let (page, exposed) = page(&[scene.source(labels)], Format::OpenMetrics);
        (page.lines().nth(2).unwrap_or_default().to_owned(), exposed.unreadable)
    };
    let cases: [(&str, &[u8], &str, &str); 9] = [
        ("1234", b"12\n4", "", "gossip_m_total{a=\"12\\n45678\",b=\"12345678\"} 1"),
        ("1234", b"12\\4", "", "gossip_m_total{a=\"12\\\\45678\",b=\"12345678\"} 1"),
        ("1234", b"\xFF\xC3\xA94", "", "gossip_m_total{a=\"?é45678\",b=\"12345678\"} 1"),
        ("1234", b"12\n4", "module=\"x\"", "gossip_m_total{module=\"x\",a=\"12\\n45678\",b=\"12345678\"} 1"),
        ("1234", b"12\"4", "", ""),
        ("12345678", b"} 1\nx 2\n", "", "gossip_m_total{a=\"} 1\\nx 2\\n\",b=\"12345678\"} 1"),
        ("b=", b"a=", "", ""),
        ("5678\",b", b"567\",le", "", ""),
        ("b=", b"-=", "", ""),
    ];
    for (from, to, labels, expected) in cases {
        let (line, unreadable) = shown(from, to, labels);
        assert_eq!((line.as_str(), unreadable), (expected, u64::from(expected.is_empty())), "{to:?}");
    }
}

#[test]
fn links_that_go_round_end() {
    let scene = Scene::new(10);
    for number in 0..4 {
        count(&scene, "m", &[("n", &number.to_string())], 1);
    }
    let (series, _) = scene.snapshot().series_range(0);
    // The oldest is followed by the newest again.
    scene.spoil(series + 16, &4_u32.to_le_bytes());
    assert_eq!(page(&[scene.source("")], Format::Text).1.series, 10);
    scene.spoil(series + 16, &u32::MAX.to_le_bytes());
    assert_eq!(page(&[scene.source("")], Format::Text).1.series, 4);
}

#[test]
fn any_word_may_be_anything() {
    let (scene, whole) = (lived_in(), lived_in());
    let snapshot = scene.snapshot();
    let (families, size) = snapshot.families_range();
    let (series, _) = snapshot.series_range(0);
    // The hashes of names stand before the families.
    let used = (families - 8 * 1024..families + size).chain(series..series + 32 * 6).step_by(4);
    let used: Vec<_> = used.filter(|at| scene.copy((*at, 4)) != [0; 4]).collect();
    for at in used.into_iter().chain([12, 16, 20, 28]) {
        let before = scene.copy((at, 4));
        for value in [0, 1, 2, 0x7F, 0xFFFF, u32::MAX, 0x0A0A_0A0A, 0x2222_2222] {
            scene.spoil(at, &value.to_le_bytes());
            if !(12..16).contains(&at) {
                let (page, exposed) = page(&[scene.source("a=\"b\""), whole.source("")], Format::OpenMetrics);
                assert!(
                    exposed.series <= 9 && page.lines().all(|line| line.starts_with(['#', 'g'])),
                    "{page}"
                );
            }
        }
        scene.spoil(at, &before);
    }
}
