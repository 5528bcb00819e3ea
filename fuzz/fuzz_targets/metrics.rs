//! The metrics' memory as a node left it: whatever the head and the descriptors claim, no reader leaves the memory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_recorder::metrics::{MetricsSnapshot, Plan};

fuzz_target!(|data: &[u8]| {
    // A head that is one, with counts that lie; the rest is the descriptors'.
    let Some((counts, rest)) = data.split_at_checked(40) else { return };
    let plan = Plan::new(u32::from(counts[0]) + 1);
    let mut head = vec![0; MetricsSnapshot::HEAD_BYTES];
    head[..8].copy_from_slice(b"LIFEMETR");
    head[8..12].copy_from_slice(&2_u32.to_le_bytes());
    head[12..16].copy_from_slice(&(plan.series_max() + 1025).to_le_bytes());
    head[16..56].copy_from_slice(counts);
    let _of_any_bytes = MetricsSnapshot::read(data);
    let snapshot = MetricsSnapshot::read(&head).expect("the head is one");
    assert_eq!(snapshot.plan(), plan);
    let is_inside = |(offset, size): (usize, usize)| offset + size <= plan.bytes();
    assert!(is_inside(snapshot.families_range()) && is_inside(snapshot.series_range(0)));
    for row in 0..=snapshot.rows_used as usize {
        assert!(is_inside((snapshot.row_offset(row), 8 * snapshot.slots_used as usize)));
    }
    for number in 0..8 {
        if let Some(family) = snapshot.family(rest, number) {
            assert!(family.bounds().len() <= 32 && family.slots() >= 1);
            assert!(family.name.len() + family.help.len() + family.unit.len() <= rest.len());
        }
        if let Some(series) = snapshot.series(rest, number as usize) {
            assert!(is_inside(snapshot.labels_range(&series)) && series.slot < snapshot.slots_used.max(1));
        }
        assert!(snapshot.overflow_slot(number) as usize * 8 <= plan.bytes());
    }
});
