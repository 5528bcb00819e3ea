//! The rules of the house that no compiler keeps. Each rule is a function from the files that git knows to a
//! list of violations, each with its remedy; here every rule is held against the tree. That each rule can fail
//! is shown beside it, in its own module.

mod docs;
mod length;
mod manifests;
mod readme;
mod rust;
mod shell;
mod text;
mod tree;

use tree::{Rule, tracked_files};

fn hold(rule: Rule) {
    let files = tracked_files().unwrap_or_else(|why| vec![tree::SourceFile::new("tree", &why)]);
    assert!(files.len() > 20, "the tree could not be read: {:?}", files.first());
    let violations = rule(&files);
    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} violations:\n{}", list.len(), list.join("\n"));
}

#[test]
fn lines_end_clean() {
    hold(text::lines_end_clean);
}

#[test]
fn nothing_is_left_for_later() {
    hold(text::nothing_is_left_for_later);
}

#[test]
fn no_path_of_one_machine() {
    hold(text::no_path_of_one_machine);
}

#[test]
fn every_rust_file_says_what_it_is() {
    hold(rust::opens_with_docs);
}

#[test]
fn every_silenced_lint_has_a_reason() {
    hold(rust::silenced_lints_have_reasons);
}

#[test]
fn a_feature_lives_in_one_folder() {
    hold(rust::features_live_in_one_folder);
}

#[test]
fn files_are_short() {
    hold(length::files_are_short);
}

#[test]
fn functions_are_short() {
    hold(length::functions_are_short);
}

#[test]
fn every_crate_inherits_the_lints() {
    hold(manifests::crates_inherit_lints);
}

#[test]
fn arrows_go_down_only() {
    hold(manifests::arrows_go_down);
}

#[test]
fn the_node_side_stands_alone() {
    hold(manifests::node_side_stands_alone);
}

#[test]
fn every_workspace_is_locked() {
    hold(manifests::workspaces_are_locked);
}

#[test]
fn every_command_of_the_readme_is_run() {
    hold(readme::commands_are_run);
}

#[test]
fn documents_name_what_is_there() {
    hold(docs::documents_name_what_is_there);
}

#[test]
fn shell_scripts_are_sound() {
    hold(shell::scripts_are_sound);
}
