//! The text of `/proc/PID/maps` as a dying node left it: what comes out is in order and overlaps nowhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_monitor::maps;

fuzz_target!(|data: &[u8]| {
    let mappings = maps::parse(data);
    for mapping in &mappings {
        assert!(mapping.start < mapping.end && mapping.holds(mapping.start) && !mapping.holds(mapping.end));
    }
    assert!(mappings.is_sorted_by(|before, after| before.end <= after.start));
    for file in maps::files(&mappings) {
        let last = file.mappings.last().copied();
        assert_eq!(
            (file.mappings.first().copied(), last.map(|last| last.end)),
            (Some(file.first), Some(file.end))
        );
        assert!(file.holds(file.first.start) && !file.holds(file.end));
        assert!(file.has_code() || !file.holds_code(file.first.start));
    }
});
