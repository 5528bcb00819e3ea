//! How reports become issues, and what an issue shows.
//!
//! 1. The same crash twice is one issue with two events; another place, cause or type is another issue.
//! 2. The event has our id, the release, tags, breadcrumbs and frames.
//! 3. What the server took is `sent`.

use std::path::PathBuf;

use serde_json::Value;

use crate::fleet::Fleet;

const FAULT: &str = "SIGSEGV: null pointer dereference at 0x10 (SEGV_MAPERR)";

fn node(fleet: &Fleet) -> PathBuf {
    fleet.c_node("tests/fixtures/server.c")
}

#[test]
fn same_crash_twice_is_one_issue_with_two_events() {
    let fleet = Fleet::new("twice");
    let node = node(&fleet);
    fleet.die(&node, &["decode"], 139);
    fleet.die(&node, &["decode"], 139);
    let issue = fleet.project.wait_for_issue(FAULT, 2);
    let mut events: Vec<_> = fleet.project.events(&issue).into_iter().map(|event| event.event_id).collect();
    let mut ours = fleet.sent(2);
    events.sort_unstable();
    ours.sort_unstable();
    assert_eq!(events, ours, "the server's ids are ours");
    assert_eq!(fleet.project.issues().len(), 1);
}

#[test]
fn same_fault_in_another_function_is_another_issue() {
    let fleet = Fleet::new("places");
    let node = node(&fleet);
    fleet.die(&node, &["decode"], 139);
    fleet.die(&node, &["store"], 139);
    let issues = fleet.project.wait_for_issues(2);
    let mut places: Vec<_> = issues.iter().map(|issue| issue.place.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["decode_header", "store_block"]);
    assert!(issues.iter().all(|issue| issue.title == FAULT), "{issues:#?}");
}

#[test]
fn stripped_program_has_an_issue_for_each_place_too() {
    let fleet = Fleet::new("stripped");
    let node = node(&fleet);
    assert!(lifeboat_tests::Run::new("strip").arg(&node).finish().succeeded());
    fleet.die(&node, &["decode"], 139);
    fleet.die(&node, &["store"], 139);
    fleet.die(&node, &["store"], 139);
    fleet.sent(3);
    let mut issues = fleet.project.wait_for_issues(2);
    issues.sort_by_key(|issue| issue.events);
    assert_eq!(issues.iter().map(|issue| issue.events).collect::<Vec<_>>(), [1, 2]);
    assert!(issues.iter().all(|issue| issue.place.starts_with("node+0x")), "{issues:#?}");
}

#[test]
fn issue_shows_release_tags_breadcrumbs_and_frames() {
    let fleet = Fleet::new("shown");
    fleet.die(&node(&fleet), &["decode"], 139);
    let issue = fleet.project.wait_for_issue(FAULT, 1);
    let event = fleet.project.events(&issue).remove(0);
    assert_eq!(event.functions()[..3], ["decode_header", "receive", "main"], "{}", event.stacktrace);
    assert_eq!(fleet.project.releases(), ["server@3.0.1"]);
    let tags = ["role", "dc", "fleet", "node", "cause"].map(|key| event.tag(key).unwrap());
    assert_eq!(tags, ["relay", "do-ams3", "harbor", "node-07", "signal"]);
    let crumbs = event.data["breadcrumbs"]["values"].as_array().unwrap();
    let messages: Vec<_> = crumbs.iter().map(|crumb| &crumb["message"]).collect();
    assert_eq!(messages, [&Value::from("lost peer-03"), &Value::from("decode")]);
    assert_eq!(event.data["contexts"]["peers"]["connected"], "17");
    assert_eq!(event.data["environment"], "test");
}

#[test]
fn survived_error_and_last_words_are_issues_too() {
    let fleet = Fleet::new("words");
    let node = node(&fleet);
    fleet.die(&node, &["error"], 0);
    fleet.die(&node, &["exit"], 3);
    let error = fleet.project.wait_for_issue("DialError: no answer within 5 s", 1);
    let event = fleet.project.events(&error).remove(0);
    assert_eq!((error.place.as_str(), &event.data["level"]), ("dial_peer", &Value::from("warning")));
    assert_eq!(event.functions(), ["dial_peer", "node_run"], "{}", event.stacktrace);
    let exit = fleet.project.wait_for_issue("DatabaseError: disk image is malformed", 1);
    assert_eq!(fleet.project.events(&exit)[0].tag("cause"), Some("exit"));
    fleet.sent(2);
}
