//! The metrics' memory as a node left it: whatever the head and the descriptors claim, no reader leaves the memory, and the
//! page is one.
#![no_main]

use std::alloc::{Layout, alloc_zeroed};
use std::cell::OnceCell;
use std::ptr::NonNull;

use libfuzzer_sys::fuzz_target;
use lifeboat_recorder::metrics::{
    Format, Kind, Label, Metrics, MetricsSnapshot, Plan, Source, Wanted, expose,
};

/// Most series of the memory that is exposed.
const SERIES_MAX: u32 = 40;

fuzz_target!(|data: &[u8]| {
    read(data);
    thread_local!(static LIVED_IN: OnceCell<Memory> = const { OnceCell::new() });
    LIVED_IN.with(|memory| memory.get_or_init(Memory::lived_in).expose_changed(data));
});

/// A memory with metrics of every kind.
struct Memory {
    base: NonNull<u8>,
    plan: Plan,
    /// Where there is something to change: start and size.
    used: Vec<(usize, usize)>,
}

impl Memory {
    fn lived_in() -> Self {
        let plan = Plan::new(SERIES_MAX);
        let layout = Layout::from_size_align(plan.bytes(), 4096).expect("a size");
        // SAFETY: the layout is not empty.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("memory");
        // SAFETY: zeroed, aligned to a page, large enough, nobody else's, and never given back.
        let metrics = unsafe { Metrics::format(base, plan) };
        for kind in [Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Info] {
            let name = format!("{kind:?}");
            for value in ["a \"b\" \\ c\nd", ""] {
                let labels = [Label { name: b"topic", value: value.as_bytes() }];
                let (name, unit, help) = (name.as_bytes(), &b"unit"[..], &b"Help \\."[..]);
                let bounds = if kind == Kind::Histogram { &[0.5, 2.0][..] } else { &[] };
                let wanted = Wanted { kind, module: b"m", name, unit, help, bounds, labels: &labels };
                let registered = metrics.register(&wanted).expect("room");
                metrics.set(registered.slot, 1.0);
            }
        }
        let memory = Self { base, plan, used: Vec::new() };
        let snapshot = *memory.source(b"").snapshot();
        let (families, size) = snapshot.families_range();
        let mut used: Vec<_> = (families..families + size)
            .step_by(1024)
            .filter(|at| memory.byte(*at) != 0)
            .map(|at| (at, 1024))
            .collect();
        let (labels, _) = snapshot.labels_range(&snapshot.series(&memory.series(), 0).expect("a series"));
        // The hashes of names stand before the families.
        used.extend([
            (families - 8 * 1024, 8 * 1024),
            (16, 48),
            snapshot.series_range(0),
            (labels, 256),
            (snapshot.row_offset(0), 256),
        ]);
        Self { used, ..memory }
    }

    fn source(&self, labels: &'static [u8]) -> Source<'static> {
        // SAFETY: the memory is never given back, and nobody writes it meanwhile.
        unsafe { Source::new(self.base, self.plan.bytes(), labels) }.expect("a head")
    }

    fn series(&self) -> Vec<u8> {
        let (start, size) = self.source(b"").snapshot().series_range(0);
        (start..start + size).map(|at| self.byte(at)).collect()
    }

    fn byte(&self, at: usize) -> u8 {
        assert!(at < self.plan.bytes());
        // SAFETY: the place lies within the memory.
        unsafe { self.base.add(at).read() }
    }

    fn put(&self, at: usize, byte: u8) -> u8 {
        let before = self.byte(at);
        // SAFETY: the place lies within the memory, as just seen.
        unsafe { self.base.add(at).write(byte) };
        before
    }

    /// Each four bytes of the input change one of the memory: which part, where in it (two), to what.
    fn expose_changed(&self, data: &[u8]) {
        let mut before = Vec::new();
        for [part, low, high, byte] in data.as_chunks::<4>().0 {
            let (start, size) = self.used[usize::from(*part) % self.used.len()];
            let at = start + usize::from(u16::from_le_bytes([*low, *high])) % size;
            before.push((at, self.put(at, *byte)));
        }
        for format in [Format::Text, Format::OpenMetrics] {
            for sources in
                [&[self.source(b"")][..], &[self.source(b"module=\"x\""), self.source(b"topic=\"y\"")]]
            {
                let mut page = Vec::new();
                let exposed = expose(sources, format, &mut |piece| {
                    page.extend_from_slice(piece);
                    true
                });
                assert!(exposed.is_whole && exposed.series <= 4 * u64::from(SERIES_MAX + 1024));
                let page = str::from_utf8(&page).expect("UTF-8");
                assert!(page.is_empty() || page.ends_with('\n'));
                page.lines().for_each(is_line);
            }
        }
        for (at, byte) in before.into_iter().rev() {
            self.put(at, byte);
        }
    }
}

/// A comment, or a name, labels and a value, as a scraper takes lines apart.
fn is_line(line: &str) {
    if line.starts_with("# HELP ") || line.starts_with("# TYPE ") || line.starts_with("# UNIT ") {
        return;
    }
    let name = line.find(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric()).expect("an end");
    assert!(name > 0, "{line}");
    let mut rest = &line[name..];
    if let Some(labels) = rest.strip_prefix('{') {
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = labels.find(|letter| {
            let is_end = !is_quoted && letter == '}';
            is_quoted ^= letter == '"' && !is_escaped;
            is_escaped = letter == '\\' && !is_escaped;
            is_end
        });
        rest = &labels[end.expect("labels end") + 1..];
    }
    let value = rest.strip_prefix(' ').expect("a space");
    assert!(value.parse::<f64>().is_ok(), "{line}");
}

fn read(data: &[u8]) {
    // A head that is one, with counts that lie; the rest is the descriptors'.
    let Some((counts, rest)) = data.split_at_checked(40) else { return };
    let plan = Plan::new(u32::from(counts[0]) + 1);
    let mut head = vec![0; MetricsSnapshot::HEAD_BYTES];
    head[..8].copy_from_slice(b"LIFEMETR");
    head[8..12].copy_from_slice(&3_u32.to_le_bytes());
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
}
