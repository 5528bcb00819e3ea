//! The death slot: a reader shows what the stage vouches for, and nothing that stands beyond it.

use std::sync::atomic::Ordering;

use lifeboat_recorder::{DeathStage, MAPS_BYTES, REGISTERS_MAX, Recorder, STACK_BYTES};

use crate::scene::{fresh, read};

/// Everything there is, with stage and lengths as told.
fn dead(stage: u32, lengths: u64) -> Recorder {
    let recorder = fresh();
    let death = recorder.death();
    let words = [&death.generation, &death.tid, &death.signal, &death.sender_pid, &death.is_chained];
    for (value, word) in (1..).zip(words) {
        word.store(value, Ordering::Relaxed);
    }
    death.code.store(-6_i32 as u32, Ordering::Relaxed);
    for (value, register) in (100..).zip(&death.registers) {
        register.store(value, Ordering::Relaxed);
    }
    let count = u32::try_from(lengths.min(27)).unwrap_or(0);
    death.registers_count.store(if lengths == u64::MAX { u32::MAX } else { count }, Ordering::Relaxed);
    death.maps_truncated.store(1, Ordering::Relaxed);
    let longs = [&death.fault_address, &death.realtime_ns, &death.boottime_ns, &death.stack_start];
    for (value, long) in (10..).zip(longs) {
        long.store(value, Ordering::Relaxed);
    }
    death.stack_bytes.store(lengths, Ordering::Relaxed);
    death.maps_bytes.store(lengths, Ordering::Relaxed);
    // SAFETY: the stack's place has `STACK_BYTES` bytes, and nobody else writes them.
    unsafe { recorder.death_stack().write_bytes(0xAA, STACK_BYTES) };
    // SAFETY: the mappings' place has `MAPS_BYTES` bytes, and nobody else writes them.
    unsafe { recorder.death_maps().write_bytes(b'm', MAPS_BYTES) };
    death.stage.store(stage, Ordering::Release);
    recorder
}

#[test]
fn nobody_died_before_the_signal_is_whole() {
    for stage in [DeathStage::None, DeathStage::Claimed] {
        read(dead(stage as u32, 5), |snapshot| assert!(snapshot.death().is_none(), "{stage:?}"));
    }
}

#[test]
fn each_stage_shows_what_it_vouches_for() {
    // Stage; registers, stack, mappings.
    let cases = [
        (DeathStage::Signal, [0, 0, 0]),
        (DeathStage::Registers, [20, 0, 0]),
        (DeathStage::Stack, [20, 20, 0]),
        (DeathStage::Complete, [20, 20, 20]),
        (DeathStage::Recovered, [20, 20, 20]),
    ];
    for (stage, lengths) in cases {
        read(dead(stage as u32, 20), |snapshot| {
            let death = snapshot.death().unwrap();
            assert_eq!((death.stage, death.generation, death.tid), (stage as u32, 1, 2));
            assert_eq!((death.signal, death.code, death.sender_pid), (3, -6, 4));
            assert_eq!((death.fault_address, death.realtime_ns, death.boottime_ns), (10, 11, 12));
            assert!(death.is_chained);
            let found = [death.registers.values().len(), death.stack.len(), death.maps.len()];
            assert_eq!(found, lengths, "{stage:?}");
            assert!(death.registers.values().iter().copied().eq(100..100 + lengths[0] as u64));
            assert_eq!(death.stack_start, if lengths[1] > 0 { 13 } else { 0 }, "{stage:?}");
            assert_eq!(death.maps_truncated, lengths[2] > 0, "{stage:?}");
            assert!(
                [0xAA; STACK_BYTES].starts_with(death.stack) && [b'm'; MAPS_BYTES].starts_with(death.maps)
            );
        });
    }
}

#[test]
fn lengths_and_stages_that_cannot_be_are_bounded() {
    for stage in [DeathStage::Complete as u32, 7, u32::MAX] {
        read(dead(stage, u64::MAX), |snapshot| {
            let death = snapshot.death().unwrap();
            assert_eq!(death.registers.values().len(), REGISTERS_MAX);
            assert_eq!((death.stack.len(), death.maps.len()), (STACK_BYTES, MAPS_BYTES));
            assert!(
                [0xAA; STACK_BYTES].starts_with(death.stack) && [b'm'; MAPS_BYTES].starts_with(death.maps)
            );
        });
    }
}
