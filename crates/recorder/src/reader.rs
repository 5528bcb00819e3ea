//! The other side: reads a copy of a recorder, trusting no byte. Every offset is checked, every torn record left out.

use core::fmt;
use core::mem::offset_of;

use crate::health::Health;
use crate::layout::{
    BREADCRUMBS_SECTION, CONTEXTS_SECTION, CONTROL, Control, DEATH_MAPS, DEATH_SECTION, DEATH_STACK, Death,
    DeathStage, ENTRY_HEAD, ERRORS_SECTION, LAST_WORDS_SECTION, LAYOUT_VERSION, MAGIC, MAPS_BYTES,
    PANICS_SECTION, REGISTERS_MAX, SECTIONS_MAX, SETTINGS_SECTION, STACK_BYTES, Section, Setting,
    TABLE_ENTRY_BYTES, TABLE_OFFSET, TAGS_SECTION,
};
use crate::pen::{Fields, u32_at, u64_at};
use crate::slot;
use crate::views::{BreadcrumbView, ControlView, DeathView, EntryView, RecordView, Registers};

/// Why these bytes are no recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// They end before a recorder's header does.
    TooShort,
    /// They do not start as a recorder does.
    NotARecorder,
    /// A newer Lifeboat wrote them, with this layout.
    NewerVersion(u32),
    /// A needed section is missing or lies outside.
    SectionMissing(u32),
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => out.write_str("shorter than a recorder's header"),
            Self::NotARecorder => out.write_str("not a flight recorder"),
            Self::NewerVersion(version) => write!(
                out,
                "written with layout {version}, this program reads {LAYOUT_VERSION}: use a newer lifeboat-monitor"
            ),
            Self::SectionMissing(kind) => write!(out, "section {kind} is missing or lies outside the file"),
        }
    }
}

impl core::error::Error for ReadError {}

/// A copy of a recorder.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    bytes: &'a [u8],
    control: &'a [u8],
}

impl<'a> Snapshot<'a> {
    /// Looks at the header.
    ///
    /// # Errors
    /// Where the bytes are no recorder, or one that this version cannot read.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ReadError> {
        if bytes.len() < TABLE_OFFSET {
            return Err(ReadError::TooShort);
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(ReadError::NotARecorder);
        }
        match u32_at(bytes, 8).ok_or(ReadError::TooShort)? {
            LAYOUT_VERSION => {}
            newer if newer > LAYOUT_VERSION => return Err(ReadError::NewerVersion(newer)),
            _ => return Err(ReadError::NotARecorder),
        }
        let bare = Self { bytes, control: &[] };
        let control = bare.items(CONTROL).next().ok_or(ReadError::SectionMissing(CONTROL.kind))?;
        if control.len() < size_of::<Control>() {
            return Err(ReadError::SectionMissing(CONTROL.kind));
        }
        Ok(Self { bytes, control })
    }

    /// The control block.
    #[must_use]
    pub fn control(&self) -> ControlView {
        let word = |offset| u32_at(self.control, offset).unwrap_or(0);
        let long = |offset| u64_at(self.control, offset).unwrap_or(0);
        ControlView {
            pid: word(offset_of!(Control, pid)),
            stop_kind: word(offset_of!(Control, stop_kind)),
            stop_signal: word(offset_of!(Control, stop_signal)),
            exit_tid: word(offset_of!(Control, exit_tid)),
            capture_timeout_ms: word(offset_of!(Control, capture_timeout_ms)),
            start_realtime_ns: long(offset_of!(Control, start_realtime_ns)),
            start_boottime_ns: long(offset_of!(Control, start_boottime_ns)),
            stop_boottime_ns: long(offset_of!(Control, stop_boottime_ns)),
            breadcrumbs_next: long(offset_of!(Control, breadcrumbs_next)),
            errors_next: long(offset_of!(Control, errors_next)),
            errors_taken: long(offset_of!(Control, errors_taken)),
            dropped: long(offset_of!(Control, dropped)),
            panics_next: long(offset_of!(Control, panics_next)),
        }
    }

    /// A setting, where it was written and is not empty.
    #[must_use]
    pub fn setting(&self, setting: Setting) -> Option<&'a [u8]> {
        let slot = self.items(SETTINGS_SECTION).nth(setting as usize)?;
        Fields::new(slot::read(slot)?).text().filter(|text| !text.is_empty())
    }

    /// The tags, in the order of their first setting.
    pub fn tags(&self) -> impl Iterator<Item = EntryView<'a>> + use<'a> {
        self.items(TAGS_SECTION).filter_map(entry)
    }

    /// The context values, in the order of their first setting.
    pub fn contexts(&self) -> impl Iterator<Item = EntryView<'a>> + use<'a> {
        self.items(CONTEXTS_SECTION).filter_map(entry)
    }

    /// The breadcrumbs that are whole, in no order: sort by ticket.
    pub fn breadcrumbs(&self) -> impl Iterator<Item = BreadcrumbView<'a>> + use<'a> {
        self.items(BREADCRUMBS_SECTION).filter_map(|item| {
            let mut fields = Fields::new(slot::read(item)?);
            Some(BreadcrumbView {
                ticket: fields.u64()?,
                realtime_ns: fields.u64()?,
                tid: fields.u32()?,
                level: fields.u32()?,
                category: fields.text()?,
                message: fields.text()?,
            })
        })
    }

    /// The last words, in no order: sort by ticket.
    pub fn last_words(&self) -> impl Iterator<Item = RecordView<'a>> + use<'a> {
        self.items(LAST_WORDS_SECTION).filter_map(record)
    }

    /// The handled errors, taken ones too, in no order: sort by ticket.
    pub fn errors(&self) -> impl Iterator<Item = RecordView<'a>> + use<'a> {
        self.items(ERRORS_SECTION).filter_map(record)
    }

    /// The newest panics, caught ones too, in no order: sort by ticket.
    pub fn panics(&self) -> impl Iterator<Item = RecordView<'a>> + use<'a> {
        self.items(PANICS_SECTION).filter_map(record)
    }

    /// The death slot; nothing where no fault has been recorded.
    #[must_use]
    pub fn death(&self) -> Option<DeathView<'a>> {
        let slot = self.items(DEATH_SECTION).next()?;
        let word = |offset| u32_at(slot, offset).unwrap_or(0);
        let long = |offset| u64_at(slot, offset).unwrap_or(0);
        let stage = word(offset_of!(Death, stage));
        if stage < DeathStage::Signal as u32 {
            return None;
        }
        // Beyond the stage stands nothing, or what an earlier fault left that was recovered from.
        let has = |wanted: DeathStage| stage >= wanted as u32;
        let within = |from: usize, most: usize, bytes: u64, wanted: DeathStage| {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(most);
            let bytes = if has(wanted) { bytes } else { 0 };
            slot.get(from..).and_then(|rest| rest.get(..bytes)).unwrap_or(&[])
        };
        Some(DeathView {
            stage,
            generation: word(offset_of!(Death, generation)),
            tid: word(offset_of!(Death, tid)),
            signal: word(offset_of!(Death, signal)),
            code: word(offset_of!(Death, code)) as i32,
            sender_pid: word(offset_of!(Death, sender_pid)),
            fault_address: long(offset_of!(Death, fault_address)),
            realtime_ns: long(offset_of!(Death, realtime_ns)),
            boottime_ns: long(offset_of!(Death, boottime_ns)),
            registers: registers(slot, stage),
            stack_start: if has(DeathStage::Stack) { long(offset_of!(Death, stack_start)) } else { 0 },
            stack: within(DEATH_STACK, STACK_BYTES, long(offset_of!(Death, stack_bytes)), DeathStage::Stack),
            maps: within(DEATH_MAPS, MAPS_BYTES, long(offset_of!(Death, maps_bytes)), DeathStage::Complete),
            maps_truncated: has(DeathStage::Complete) && word(offset_of!(Death, maps_truncated)) != 0,
            is_chained: word(offset_of!(Death, is_chained)) != 0,
        })
    }

    /// What the components say of themselves, and the heartbeats; nothing where an older reporter wrote this.
    #[must_use]
    pub fn health(&self) -> Option<Health<'a>> {
        Health::of_recorder(self.bytes)
    }

    /// The items of a section as the file's own table places it, cut to what the file holds.
    fn items(&self, known: Section) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        section(bytes, known).into_iter().flat_map(move |found| items(bytes, found))
    }
}

/// The items of a section that was found, cut to what the bytes hold.
pub(crate) fn items(bytes: &[u8], found: Section) -> impl Iterator<Item = &[u8]> {
    (0..found.count).map_while(move |index| {
        let start = index.checked_mul(found.stride)?.checked_add(found.offset)?;
        bytes.get(start..start.checked_add(found.stride)?)
    })
}

/// Where the table places a section. A later version may have made it larger, within a bound.
pub(crate) fn section(bytes: &[u8], known: Section) -> Option<Section> {
    let sections = u32_at(bytes, 24)?.min(SECTIONS_MAX);
    let found = (0..sections as usize).find_map(|index| {
        let mut fields = Fields::new(bytes.get(TABLE_OFFSET + index * TABLE_ENTRY_BYTES..)?);
        let found = Section {
            kind: fields.u32()?,
            count: usize::try_from(fields.u32()?).ok()?,
            offset: usize::try_from(fields.u64()?).ok()?,
            stride: usize::try_from(fields.u64()?).ok()?,
        };
        (found.kind == known.kind).then_some(found)
    })?;
    (found.stride >= 8).then_some(Section { count: found.count.min(4 * known.count), ..found })
}

fn registers(slot: &[u8], stage: u32) -> Registers {
    let mut values = [0; REGISTERS_MAX];
    let from = offset_of!(Death, registers);
    for (index, value) in values.iter_mut().enumerate() {
        *value = u64_at(slot, from + 8 * index).unwrap_or(0);
    }
    let count = u32_at(slot, offset_of!(Death, registers_count)).unwrap_or(0) as usize;
    let count = if stage >= DeathStage::Registers as u32 { count.min(REGISTERS_MAX) } else { 0 };
    Registers { values, count }
}

fn entry(item: &[u8]) -> Option<EntryView<'_>> {
    let slots = item.get(ENTRY_HEAD..)?;
    let (first, second) = slots.split_at_checked(slots.len() / 2 / 8 * 8)?;
    // The node may have written on while the copy was made: then the slot that counted is torn, the other whole.
    let payload = match u32_at(item, 8)? {
        1 => slot::read(first).or_else(|| slot::read(second)),
        2 => slot::read(second).or_else(|| slot::read(first)),
        _ => None,
    };
    let mut fields = Fields::new(payload?);
    Some(EntryView {
        realtime_ns: fields.u64()?,
        section: fields.text()?,
        key: fields.text()?,
        value: fields.text()?,
    })
}

fn record(item: &[u8]) -> Option<RecordView<'_>> {
    let mut fields = Fields::new(slot::read(item)?);
    let (ticket, realtime_ns, tid) = (fields.u64()?, fields.u64()?, fields.u32()?);
    let packed = fields.u32()?;
    Some(RecordView {
        ticket,
        realtime_ns,
        tid,
        level: packed & 0xFF,
        origin: packed >> 8 & 0xFF,
        report_if_caught: packed >> 16 & 1 != 0,
        kind: fields.text()?,
        message: fields.text()?,
        frames: fields,
    })
}
