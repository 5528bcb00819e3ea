//! The example node does what a node does, and dies as it is told.
//!
//! 1. Two nodes find each other, hand gossip on, and end cleanly when asked to.
//! 2. One that dies tells its peers, its messages and the way to the mistake.

use lifeboat_tests::Run;
use rustix::process::Signal;

use crate::bench::{Bench, build, events, rows, wait_until};

const EXAMPLE: &str = "examples/rust-node/Cargo.toml";

#[test]
fn nodes_gossip_and_one_of_them_dies() {
    let bench = Bench::new();
    let program = build(EXAMPLE, "rust-node", &["--release", "--features", "load"]);
    let (state_dir, other_state_dir) = (bench.state_dir(), bench.state_dir());
    let mut anna = bench.on(&program, &state_dir).args(["--name", "anna", "--every-ms", "50"]).spawn();
    let line = anna.wait_for_line("listening on 127.0.0.1:", "");
    let address = line.trim_start_matches("listening on ");
    let bert = bench.on(&program, &other_state_dir).args(["--name", "bert", "--peer", address]);
    let bert = bert.args(["--every-ms", "50", "--die", "panic", "--after-ms", "1500"]).spawn();
    anna.wait_for("anna got bert-");
    let bert = bert.finish();
    assert_eq!(bert.shell_status(), 101, "{}", bert.stderr);
    assert!(
        bert.stdout.contains("bert got anna-") && bert.stdout.contains(" from anna\n"),
        "{}",
        bert.stdout
    );
    anna.signal(Signal::TERM);
    assert!(anna.finish().succeeded());
    wait_until("the report is there", || !rows(&other_state_dir).is_empty());
    bench.settle();

    assert!(events(&state_dir).is_empty(), "a stop that was asked for is no death");
    let events = events(&other_state_dir);
    assert_eq!(events.len(), 1, "{events:#?}");
    let event = &events[0];
    let exception = event["exception"]["values"].as_array().unwrap().last().unwrap();
    assert!(exception["value"].as_str().unwrap().starts_with("index out of bounds: "), "{exception}");
    let frames = exception["stacktrace"]["frames"].as_array().unwrap().iter().rev();
    let own = frames.filter(|frame| frame["in_app"] == true).filter_map(|frame| frame["function"].as_str());
    let own: Vec<&str> = own.take(4).collect();
    let story = ["checksum", "decode_message", "deliver", "handle_messages"];
    assert!(own.len() == 4 && own.iter().zip(story).all(|(frame, name)| frame.contains(name)), "{own:?}");
    assert_eq!(event["tags"]["role"], "relay");
    assert_eq!(event["contexts"]["node"]["peers"], "1");
    let metrics = &event["contexts"]["metrics"];
    let messages: u64 = event["contexts"]["node"]["messages"].as_str().unwrap().parse().unwrap();
    assert_eq!((&metrics["gossip_peers"], &metrics["gossip_messages_total"]), (&1.into(), &messages.into()));
    assert!(metrics["gossip_delivery_seconds_count"].as_u64() >= Some(messages), "{metrics}");
    assert_eq!(event["release"], "rust-node@1.4.2");
    let crumbs = event["breadcrumbs"]["values"].as_array().unwrap();
    let left = |category: &str, text: &str| {
        let mut same = crumbs.iter().filter(|crumb| crumb["category"] == category);
        same.any(|crumb| crumb["message"].as_str().unwrap().contains(text))
    };
    assert!(
        left("peer", "connected anna") && left("gossip", "anna-") && left("panic", "thread gossip"),
        "{crumbs:?}"
    );
}

#[test]
fn each_death_is_its_own() {
    let bench = Bench::new();
    let program = build(EXAMPLE, "rust-node", &["--release", "--features", "load"]);
    let deaths = [
        ("null", 139, "SIGSEGV", "checksum"),
        ("main", 139, "SIGSEGV", "checksum"),
        ("panic-main", 101, "panic", "checksum"),
        ("exit", 1, "DatabaseError", "die"),
    ];
    for (death, status, kind, top) in deaths {
        let (outcome, events) = bench.die(&program, &["--die", death, "--after-ms", "50"]);
        assert_eq!((outcome.shell_status(), events.len()), (status, 1), "{death}: {}", outcome.stderr);
        let exception = events[0]["exception"]["values"].as_array().unwrap().last().unwrap();
        assert_eq!(exception["type"], kind, "{death}");
        let frames = exception["stacktrace"]["frames"].as_array().unwrap().iter().rev();
        let mut own = frames.filter(|frame| frame["in_app"] == true);
        let first = own.next().and_then(|frame| frame["function"].as_str()).unwrap_or_default();
        assert!(first.contains(top), "{death}: {exception:#}");
    }
    // The public build is the same node.
    let public = build(EXAMPLE, "rust-node", &["--release"]);
    let outcome = Run::new(public).args(["--die", "panic", "--after-ms", "50"]).finish();
    assert_eq!(outcome.shell_status(), 101, "{}", outcome.stderr);
}
