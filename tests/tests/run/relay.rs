//! The normaliser of a Sentry server takes every such report as it is.
//!
//! 1. A program ends, by fault, exit or assert, with and without lines as breadcrumbs. 2. Relay has no complaint.

use std::path::PathBuf;

use lifeboat_tests::{Run, repository};

use crate::bench::Bench;

#[test]
fn relay_takes_every_event_as_it_is() {
    let python = std::env::var_os("LIFEBOAT_TEST_PYTHON")
        .map_or_else(|| repository("target/venv/bin/python"), PathBuf::from);
    assert!(python.is_file(), "{} is not there: run scripts/setup test", python.display());
    let bench = Bench::new();
    for (options, case) in [
        (&[][..], "thread-null"),
        (&[], "assert"),
        (&["--log-breadcrumbs"], "log-3"),
        (&["--no-trace"], "raise-9"),
    ] {
        let event = bench.check_one(options, &[case]);
        let file = bench.scratch.write("event.json", event.to_string());
        let check = repository("crates/monitor/tests/relay_check.py");
        let outcome = Run::new(&python).arg(check).arg(file).finish();
        assert!(outcome.succeeded(), "{case}: {}{}", outcome.stdout, outcome.stderr);
    }
}
