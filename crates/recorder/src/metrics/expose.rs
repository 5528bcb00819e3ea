//! The page that Prometheus reads, out of the memory of one or more nodes, as text 0.0.4 or as OpenMetrics 1.0.
//!
//! It allocates nothing, takes no lock and trusts no byte: the nodes write on meanwhile. A family is found in each memory by
//! its name, its series by the links between them. What a memory claims is bounded by its size.
//! See <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

mod labels;
mod number;
mod page;
mod powers;
mod source;

pub use source::Source;

use super::layout::{FAMILIES, FAMILY_BYTES, Kind};
use super::name::Text;
use super::reader::Family;
use number::Text as Number;
use page::Page;
use source::Found;

/// What the page is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`.
    Text,
    /// `application/openmetrics-text; version=1.0.0`, without the `# EOF` that ends a page.
    OpenMetrics,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposed {
    /// Series that are on the page.
    pub series: u64,
    /// Families that are not, since an earlier source means something else by their name.
    pub conflicts: u64,
    /// Series that are not, since what stands at their place is none.
    pub unreadable: u64,
    /// Whether the sink took all of it.
    pub is_whole: bool,
}

/// Writes all metrics of all sources. The sink gets pieces, and answers whether it wants more.
pub fn expose(sources: &[Source<'_>], format: Format, sink: &mut dyn FnMut(&[u8]) -> bool) -> Exposed {
    let mut writer = Writer { page: Page::new(sink), format, exposed: Exposed::default() };
    for (index, source) in sources.iter().enumerate() {
        let (earlier, from_here) = sources.split_at_checked(index).unwrap_or((&[], sources));
        let later = from_here.get(1..).unwrap_or(&[]);
        for number in 0..FAMILIES as u32 {
            if writer.page.is_over() {
                break;
            }
            writer.family(earlier, source, later, number);
        }
    }
    let is_whole = writer.page.hand_on();
    Exposed { is_whole, ..writer.exposed }
}

struct Writer<'s> {
    page: Page<'s>,
    format: Format,
    exposed: Exposed,
}

impl Writer<'_> {
    /// A family with its series in this source and the later ones, unless an earlier one had it.
    fn family(&mut self, earlier: &[Source<'_>], source: &Source<'_>, later: &[Source<'_>], number: u32) {
        let mut copy = [0; FAMILY_BYTES];
        let newest = source.copy_family(number, &mut copy);
        let Some(family) = source.family(&copy).filter(|family| source.is_found(family.name, number)) else {
            return;
        };
        let mut other = [0; FAMILY_BYTES];
        if earlier.iter().any(|earlier| earlier.find(family.name, &mut other).is_some()) {
            return;
        }
        let mut head = Head { of: &family, is_due: true };
        self.all(source, number, newest, &family, &mut head);
        for later in later {
            let Some(number) = later.find(family.name, &mut other) else { continue };
            let newest = later.copy_family(number, &mut other);
            match later.family(&other) {
                Some(same) if same.kind == family.kind && same.name == family.name => {
                    self.all(later, number, newest, &same, &mut head);
                }
                Some(_) => self.exposed.conflicts += 1,
                None => {}
            }
        }
    }

    /// All series of a family in one source. However they are linked, no more are shown than there are slots.
    fn all(
        &mut self,
        source: &Source<'_>,
        number: u32,
        newest: u32,
        family: &Family<'_>,
        head: &mut Head<'_>,
    ) {
        let plan = source.snapshot().plan();
        let mut slots_left = plan.series_max();
        let mut steps_left = plan.series_max();
        let (mut next, mut found) = (newest, Found::empty());
        while next != 0 && steps_left != 0 && !self.page.is_over() {
            steps_left -= 1;
            let (is_shown, older) = source.series(next - 1, number, family, &mut found);
            next = older;
            if !is_shown {
                self.exposed.unreadable += 1;
                continue;
            }
            let Some(left) = slots_left.checked_sub(family.slots()) else { break };
            slots_left = left;
            self.series(source, family, &found, head);
        }
        if family.kind == Kind::Counter {
            let rest = source.count(plan.overflow_slot(number as usize));
            if rest != 0 {
                head.write(&mut self.page, self.format);
                self.exposed.series += 1;
                self.sample(
                    family.name,
                    b"_total",
                    [source.labels, b"overflow=\"true\""],
                    Number::of_count(rest),
                );
            }
        }
    }

    fn series(&mut self, source: &Source<'_>, family: &Family<'_>, found: &Found, head: &mut Head<'_>) {
        // Labels that no longer hold have the value 0, and are nobody's.
        if family.kind == Kind::Info && source.shared(found.slot) == 0.0 {
            return;
        }
        let mut mended;
        let own = if labels::are_fit(found.labels(), source.labels) {
            found.labels()
        } else {
            mended = Text::new();
            let Some(labels) = labels::mend(found.labels(), source.labels, &mut mended) else {
                self.exposed.unreadable += 1;
                return;
            };
            labels
        };
        head.write(&mut self.page, self.format);
        self.exposed.series += 1;
        let labels = [source.labels, own];
        match family.kind {
            Kind::Counter => {
                let value = Number::of_count(source.count(found.slot));
                self.sample(family.name, b"_total", labels, value);
            }
            Kind::Gauge => {
                let value = Number::of_float(source.shared(found.slot));
                self.sample(family.name, b"", labels, value);
            }
            Kind::Info => self.sample(family.name, b"_info", labels, Number::of_count(1)),
            Kind::Histogram => self.histogram(source, family, found.slot, labels),
        }
    }

    /// Count is what the last bucket says: the node counts on while this is read.
    fn histogram(&mut self, source: &Source<'_>, family: &Family<'_>, slot: u32, labels: [&[u8]; 2]) {
        let bounds = family.bounds();
        let mut count = 0_u64;
        for (index, bound) in bounds.iter().copied().chain([f64::INFINITY]).enumerate() {
            count = count.wrapping_add(source.count(slot + index as u32));
            let bound = match self.format {
                Format::Text => Number::of_float(bound),
                Format::OpenMetrics => Number::of_bound(bound),
            };
            self.labelled(family.name, b"_bucket", labels, bound.bytes(), Number::of_count(count));
        }
        let sum = source.float(slot + bounds.len() as u32 + 1);
        // OpenMetrics has no sum that could go down, and no count without a sum.
        let is_sum = sum >= 0.0 && bounds.first().is_none_or(|bound| *bound >= 0.0);
        if self.format == Format::Text || is_sum {
            self.sample(family.name, b"_sum", labels, Number::of_float(sum));
            self.sample(family.name, b"_count", labels, Number::of_count(count));
        }
    }

    fn sample(&mut self, name: &[u8], ending: &[u8], labels: [&[u8]; 2], value: Number) {
        self.labelled(name, ending, labels, b"", value);
    }

    fn labelled(&mut self, name: &[u8], ending: &[u8], labels: [&[u8]; 2], bound: &[u8], value: Number) {
        self.page.put(name);
        self.page.put(ending);
        let mut before: &[u8] = b"{";
        for labels in labels.into_iter().filter(|labels| !labels.is_empty()) {
            self.page.put(before);
            self.page.put(labels);
            before = b",";
        }
        if !bound.is_empty() {
            self.page.put(before);
            self.page.put(b"le=\"");
            self.page.put(bound);
            self.page.put(b"\"");
            before = b",";
        }
        self.page.put(if before == b"," { b"} " } else { b" " });
        self.page.put(value.bytes());
        self.page.put(b"\n");
    }
}

/// What stands before a family's first series: written once, and only where there is one.
struct Head<'f> {
    of: &'f Family<'f>,
    is_due: bool,
}

impl Head<'_> {
    fn write(&mut self, page: &mut Page<'_>, format: Format) {
        if !core::mem::take(&mut self.is_due) {
            return;
        }
        let family = self.of;
        let ending: &[u8] = match (family.kind, format) {
            (Kind::Counter, Format::Text) => b"_total",
            (Kind::Info, Format::Text) => b"_info",
            _ => b"",
        };
        let kind: &[u8] = match (family.kind, format) {
            (Kind::Info, Format::OpenMetrics) => b" info",
            (Kind::Counter, _) => b" counter",
            (Kind::Gauge | Kind::Info, _) => b" gauge",
            (Kind::Histogram, _) => b" histogram",
        };
        let line = |page: &mut Page<'_>, word: &[u8]| {
            page.put(b"# ");
            page.put(word);
            page.put(b" ");
            page.put(family.name);
            page.put(ending);
        };
        if !family.help.is_empty() {
            line(page, b"HELP");
            page.put(b" ");
            write_help(page, family.help);
            page.put(b"\n");
        }
        line(page, b"TYPE");
        page.put(kind);
        page.put(b"\n");
        if format == Format::OpenMetrics && is_unit_of(family.unit, family.name) {
            line(page, b"UNIT");
            page.put(b" ");
            page.put(family.unit);
            page.put(b"\n");
        }
    }
}

/// A unit ends its metric's name.
fn is_unit_of(unit: &[u8], name: &[u8]) -> bool {
    !unit.is_empty() && name.strip_suffix(unit).is_some_and(|before| before.ends_with(b"_"))
}

/// Help is stored as it is exposed; what does not look so is mended.
fn write_help(page: &mut Page<'_>, help: &[u8]) {
    for chunk in help.utf8_chunks() {
        let mut is_after_backslash = false;
        for byte in chunk.valid().as_bytes() {
            match byte {
                b'\\' => is_after_backslash = !is_after_backslash,
                b'\n' => {
                    page.put(if is_after_backslash { b"\\ " } else { b" " });
                    is_after_backslash = false;
                    continue;
                }
                b'"' => {
                    page.put(if is_after_backslash { b"\\'" } else { b"'" });
                    is_after_backslash = false;
                    continue;
                }
                _ if is_after_backslash => {
                    page.put(b"\\");
                    is_after_backslash = false;
                }
                _ => {}
            }
            page.put(&[*byte]);
        }
        if is_after_backslash {
            page.put(b"\\");
        }
    }
}
