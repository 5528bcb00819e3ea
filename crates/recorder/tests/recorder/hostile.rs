//! Bytes that nobody has vouched for: every damage is an error or a smaller snapshot, never a panic or a false text.

use std::collections::HashSet;

use lifeboat_recorder::{LAYOUT_VERSION, RECORDER_BYTES, ReadError, Snapshot};

use crate::scene::{self, copy, item, lived_in, walk};

/// Places in the header.
const VERSION: usize = 8;
const SECTION_COUNT: usize = 24;
const TABLE: usize = 32;
const TABLE_ENTRY: usize = 24;
const SECTIONS: usize = 11;

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

/// Numbers that look random and are the same in every run.
fn numbers() -> impl Iterator<Item = u64> {
    (1_u64..).map(|index| {
        let mixed = index.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 7
    })
}

#[test]
fn random_bytes_are_no_recorder_or_an_empty_one() {
    let mut bytes: Vec<u8> = numbers().take(8_192).flat_map(|number| number.to_le_bytes()).collect();
    assert_eq!(Snapshot::read(&bytes).err(), Some(ReadError::NotARecorder));
    for length in 0..TABLE {
        assert_eq!(Snapshot::read(&bytes[..length]).err(), Some(ReadError::TooShort), "{length}");
    }
    let whole = copy(lived_in());
    bytes[..12].copy_from_slice(&whole[..12]);
    assert!(matches!(Snapshot::read(&bytes).err(), Some(ReadError::SectionMissing(1))));
    // With a sound header, all the rest may be anything.
    let header = TABLE + SECTIONS * TABLE_ENTRY;
    let mut bytes: Vec<u8> =
        numbers().take(RECORDER_BYTES / 8).flat_map(|number| number.to_le_bytes()).collect();
    bytes[..header].copy_from_slice(&whole[..header]);
    assert!(walk(&Snapshot::read(&bytes).unwrap()).is_empty());
}

#[test]
fn a_newer_recorder_is_named_and_an_older_one_is_none() {
    let mut bytes = copy(lived_in());
    for newer in [LAYOUT_VERSION + 1, 17, u32::MAX] {
        put(&mut bytes, VERSION, newer.to_le_bytes());
        let error = Snapshot::read(&bytes).err().unwrap();
        assert_eq!(error, ReadError::NewerVersion(newer));
        let wanted =
            format!("written with layout {newer}, this program reads 1: use a newer lifeboat-monitor");
        assert_eq!(error.to_string(), wanted);
    }
    put(&mut bytes, VERSION, 0_u32.to_le_bytes());
    assert_eq!(Snapshot::read(&bytes).err(), Some(ReadError::NotARecorder));
}

#[test]
fn a_recorder_cut_at_any_page_shows_what_is_left() {
    let whole = copy(lived_in());
    let all = walk(&Snapshot::read(&whole).unwrap());
    let mut before = 0;
    for length in (0..whole.len()).step_by(4096) {
        match Snapshot::read(&whole[..length]) {
            Ok(snapshot) => {
                let texts = walk(&snapshot);
                assert!(texts.len() >= before && all.starts_with(&texts), "{length}");
                before = texts.len();
            }
            Err(error) => assert!(length == 0 && error == ReadError::TooShort, "{length}: {error}"),
        }
    }
    assert!(before > all.len() / 2);
}

#[test]
fn a_flipped_bit_makes_no_text_that_nobody_wrote() {
    let mut bytes = copy(lived_in());
    let whole = bytes.clone();
    let written: HashSet<_> = walk(&Snapshot::read(&whole).unwrap()).into_iter().collect();
    let used: Vec<usize> =
        (item(&whole, scene::SETTINGS, 0)..whole.len()).filter(|at| whole[*at] != 0).collect();
    for (at, number) in used.into_iter().zip(numbers()) {
        bytes[at] ^= 1 << (number % 8);
        let texts = walk(&Snapshot::read(&bytes).unwrap());
        assert!(texts.iter().all(|text| written.contains(text)), "bit {} of byte {at}", number % 8);
        bytes[at] = whole[at];
    }
}

#[test]
fn any_byte_of_the_header_may_be_anything() {
    let mut bytes = copy(lived_in());
    let whole = bytes.clone();
    let values = [0, 1, 2, 7, 8, 9, 0x7F, 0x80, 0xFE, 0xFF];
    for at in 0..item(&whole, scene::SETTINGS, 0) {
        for value in values {
            bytes[at] = value;
            let _ = Snapshot::read(&bytes).map(|snapshot| walk(&snapshot).len());
        }
        bytes[at] = whole[at];
    }
}

/// Count, offset and stride of a section in the header's table, by its place there.
fn place(bytes: &mut [u8], index: usize, count: u32, offset: u64, stride: u64) {
    let entry = TABLE + index * TABLE_ENTRY;
    put(bytes, entry + 4, count.to_le_bytes());
    put(bytes, entry + 8, offset.to_le_bytes());
    put(bytes, entry + 16, stride.to_le_bytes());
}

#[test]
fn sections_may_lie_anywhere() {
    let whole = copy(lived_in());
    let end = whole.len() as u64;
    let offsets = [0, 1, 4095, end - 1, end, end + 1, u64::MAX - 7, u64::MAX];
    let strides = [0, 1, 7, 8, 15, 16, 64, 4096, end, end + 1, 1 << 63, u64::MAX];
    let counts = [0, 1, 1000, u32::MAX];
    for index in 0..SECTIONS {
        let mut bytes = whole.clone();
        for (offset, stride) in offsets.into_iter().flat_map(|offset| strides.map(|stride| (offset, stride)))
        {
            for count in counts {
                place(&mut bytes, index, count, offset, stride);
                let _ = Snapshot::read(&bytes).map(|snapshot| walk(&snapshot).len());
            }
        }
    }
}

#[test]
fn every_section_over_every_other_is_read_or_refused() {
    let whole = copy(lived_in());
    let mut bytes = whole.clone();
    for (from, to) in (0..SECTIONS).flat_map(|from| (0..SECTIONS).map(move |to| (from, to))) {
        let entry = |index: usize| TABLE + index * TABLE_ENTRY + 4..TABLE + (index + 1) * TABLE_ENTRY;
        bytes[entry(to)].copy_from_slice(&whole[entry(from)]);
        let _ = Snapshot::read(&bytes).map(|snapshot| walk(&snapshot).len());
        bytes[entry(to)].copy_from_slice(&whole[entry(to)]);
    }
}

#[test]
fn a_table_that_claims_more_sections_than_there_can_be_is_bounded() {
    const TAGS_AT: usize = TABLE + 2 * TABLE_ENTRY;
    const BEYOND: usize = TABLE + 16 * TABLE_ENTRY;
    let mut bytes = copy(lived_in());
    put(&mut bytes, SECTION_COUNT, u32::MAX.to_le_bytes());
    assert!(Snapshot::read(&bytes).unwrap().tags().count() > 0);
    // The entry of the tags moves to where no table reaches.
    bytes.copy_within(TAGS_AT..TAGS_AT + TABLE_ENTRY, BEYOND);
    put(&mut bytes, TAGS_AT, 99_u32.to_le_bytes());
    assert_eq!(Snapshot::read(&bytes).unwrap().tags().count(), 0);
}

#[test]
fn without_a_whole_control_block_it_is_no_recorder() {
    let whole = copy(lived_in());
    let check = |damage: &dyn Fn(&mut [u8])| {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        let error = Snapshot::read(&bytes).err().unwrap();
        assert_eq!(error.to_string(), "section 1 is missing or lies outside the file");
    };
    check(&|bytes| put(bytes, SECTION_COUNT, 0_u32.to_le_bytes()));
    check(&|bytes| place(bytes, 0, 1, 1024, 8));
    check(&|bytes| place(bytes, 0, 0, 1024, 1024));
    check(&|bytes| place(bytes, 0, 1, bytes.len() as u64 - 8, 1024));
}

#[test]
fn more_items_than_this_version_knows_are_read_up_to_a_bound() {
    const STRIDE: usize = 512;
    let mut bytes = copy(lived_in());
    let first = item(&bytes, scene::BREADCRUMBS, 0);
    let end = bytes.len() - STRIDE;
    for start in (first..end).step_by(STRIDE) {
        bytes.copy_within(first..first + STRIDE, start);
    }
    let mut check = |claimed: u32, found: usize| {
        place(&mut bytes, 4, claimed, first as u64, STRIDE as u64);
        assert_eq!(Snapshot::read(&bytes).unwrap().breadcrumbs().count(), found, "{claimed}");
    };
    check(2, 2);
    check(200, 200);
    check(u32::MAX, 4 * lifeboat_recorder::BREADCRUMBS);
}
