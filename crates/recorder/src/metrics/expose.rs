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
    /// Families that are not, since an earlier source means something else by their name, or it is that of another's samples.
    pub conflicts: u64,
    /// Series that are not, since what stands at their place is none.
    pub unreadable: u64,
    /// Whether the sink took all of it.
    pub is_whole: bool,
}

/// Writes all metrics of all sources. The sink gets pieces, and answers whether it wants more.
pub fn expose(sources: &[Source<'_>], format: Format, sink: &mut dyn FnMut(&[u8]) -> bool) -> Exposed {
    sources.iter().for_each(Source::begin_page);
    let mut writer = Writer::<false> { page: Page::new(sink), format, exposed: Exposed::default() };
    for (index, source) in sources.iter().enumerate() {
        let (earlier, from_here) = sources.split_at_checked(index).unwrap_or((&[], sources));
        writer.source(earlier, source, from_here.get(1..).unwrap_or(&[]));
    }
    writer.end()
}

/// Writes all metrics of the process that runs this, as OpenMetrics. Its own texts are shown as they are: nobody else reads
/// this page, and the node carries less code. The sink gets pieces, and answers whether it wants more.
pub fn expose_own(source: &Source<'_>, sink: &mut dyn FnMut(&[u8]) -> bool) -> Exposed {
    let format = Format::OpenMetrics;
    source.begin_page();
    let mut writer = Writer::<true> { page: Page::new(sink), format, exposed: Exposed::default() };
    writer.source(&[], source, &[]);
    writer.end()
}

/// Writes metrics: those of the process that runs this, or those of others, whose texts are looked at.
struct Writer<'s, const OWN: bool> {
    page: Page<'s>,
    format: Format,
    exposed: Exposed,
}

impl<const OWN: bool> Writer<'_, OWN> {
    fn source(&mut self, earlier: &[Source<'_>], source: &Source<'_>, later: &[Source<'_>]) {
        for number in (0..FAMILIES as u32).filter(|number| source.is_taken(*number)) {
            if self.page.is_over() {
                break;
            }
            self.family(earlier, source, later, number);
        }
    }

    fn end(mut self) -> Exposed {
        let is_whole = self.page.hand_on();
        Exposed { is_whole, ..self.exposed }
    }

    const fn format(&self) -> Format {
        if OWN { Format::OpenMetrics } else { self.format }
    }

    /// A family with its series in this source and the later ones, unless an earlier one had it.
    fn family(&mut self, earlier: &[Source<'_>], source: &Source<'_>, later: &[Source<'_>], number: u32) {
        let mut copy = [0; FAMILY_BYTES];
        let newest = source.copy_family(number, &mut copy);
        let family = if OWN { source.snapshot().family(&copy, 0) } else { source.family(&copy) };
        let Some(family) = family.filter(|family| OWN || source.is_found(family.name, number)) else {
            return;
        };
        let mut other = [0; FAMILY_BYTES];
        let mut sources = earlier.iter().chain([source]).chain(later);
        if sources.any(|source| is_sample_of_another(source, family.name, &mut other)) {
            self.exposed.conflicts += 1;
            return;
        }
        let mut head = Head { of: &family, is_due: true };
        if OWN {
            return self.all(source, number, newest, &family, &mut head);
        }
        if earlier.iter().any(|earlier| earlier.find(family.name, &mut other).is_some()) {
            return;
        }
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

    /// All series of a family in one source.
    fn all(
        &mut self,
        source: &Source<'_>,
        number: u32,
        newest: u32,
        family: &Family<'_>,
        head: &mut Head<'_>,
    ) {
        let (mut first, mut second) = (Found::empty(), Found::empty());
        // One ahead: what was just copied would be slow to load in other pieces.
        let (mut shown, mut ahead) = (&mut first, &mut second);
        let mut walk = source.walk(number, newest, family);
        let mut is_one = walk.step(shown);
        while is_one && !self.page.is_over() {
            is_one = walk.step(ahead);
            self.series(source, family, shown, head);
            core::mem::swap(&mut shown, &mut ahead);
        }
        self.exposed.unreadable += walk.unreadable;
        if family.kind == Kind::Counter {
            let rest = source.count(source.snapshot().overflow_slot(number));
            if rest != 0 {
                let format = self.format();
                head.write::<OWN>(&mut self.page, format);
                self.exposed.series += 1;
                self.sample(
                    family.name,
                    b"_total",
                    [source.labels, b"overflow=\"true\""],
                    Value::Count(rest),
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
        let own = if OWN || labels::are_fit(found.labels(), source.labels) {
            found.labels()
        } else {
            mended = Text::new();
            let Some(labels) = labels::mend(found.labels(), source.labels, &mut mended) else {
                self.exposed.unreadable += 1;
                return;
            };
            labels
        };
        let format = self.format();
        head.write::<OWN>(&mut self.page, format);
        self.exposed.series += 1;
        let labels = [source.labels, own];
        match family.kind {
            Kind::Counter => {
                let value = Value::Count(source.count(found.slot));
                self.sample(family.name, b"_total", labels, value);
            }
            Kind::Gauge => {
                let value = Value::Number(source.shared(found.slot));
                self.sample(family.name, b"", labels, value);
            }
            Kind::Info => self.sample(family.name, b"_info", labels, Value::Count(1)),
            Kind::Histogram => self.histogram(source, family, found.slot, labels),
        }
    }

    /// Count is what the last bucket says: the node counts on while this is read.
    fn histogram(&mut self, source: &Source<'_>, family: &Family<'_>, slot: u32, labels: [&[u8]; 2]) {
        let bounds = family.bounds();
        let mut count = 0_u64;
        for (index, bound) in bounds.iter().copied().chain([f64::INFINITY]).enumerate() {
            count = count.wrapping_add(source.count(slot + index as u32));
            let mut text = Number::EMPTY;
            match self.format() {
                Format::Text => text.put_number(bound),
                Format::OpenMetrics => text.put_bound(bound),
            }
            self.labelled(family.name, b"_bucket", labels, text.bytes(), Value::Count(count));
        }
        let sum = source.float(slot + bounds.len() as u32 + 1);
        // OpenMetrics has no sum that could go down, and no count without a sum.
        let is_sum = sum >= 0.0 && bounds.first().is_none_or(|bound| *bound >= 0.0);
        if self.format() == Format::Text || is_sum {
            self.sample(family.name, b"_sum", labels, Value::Number(sum));
            self.sample(family.name, b"_count", labels, Value::Count(count));
        }
    }

    fn sample(&mut self, name: &[u8], ending: &[u8], labels: [&[u8]; 2], value: Value) {
        self.labelled(name, ending, labels, b"", value);
    }

    fn labelled(&mut self, name: &[u8], ending: &[u8], labels: [&[u8]; 2], bound: &[u8], value: Value) {
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
        let mut text = Number::EMPTY;
        match value {
            Value::Count(count) => text.put_count(count),
            Value::Number(number) => text.put_number(number),
        }
        self.page.put(text.bytes());
        self.page.put(b"\n");
    }
}

/// Whether a family's name is that of another's samples: a gauge `x_total` beside a counter `x`. Strict readers take neither.
fn is_sample_of_another(source: &Source<'_>, name: &[u8], copy: &mut [u8; FAMILY_BYTES]) -> bool {
    const ENDINGS: [(&[u8], Kind); 5] = [
        (b"_total", Kind::Counter),
        (b"_bucket", Kind::Histogram),
        (b"_sum", Kind::Histogram),
        (b"_count", Kind::Histogram),
        (b"_info", Kind::Info),
    ];
    ENDINGS.iter().any(|(ending, kind)| {
        let stem = name.strip_suffix(*ending).and_then(|stem| source.find(stem, copy));
        stem.is_some() && source.family(copy).is_some_and(|family| family.kind == *kind)
    })
}

/// The value of a sample.
#[derive(Clone, Copy)]
enum Value {
    Count(u64),
    Number(f64),
}

/// What stands before a family's first series: written once, and only where there is one.
struct Head<'f> {
    of: &'f Family<'f>,
    is_due: bool,
}

impl Head<'_> {
    fn write<const OWN: bool>(&mut self, page: &mut Page<'_>, format: Format) {
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
            if OWN {
                page.put(family.help);
            } else {
                write_help(page, family.help);
            }
            page.put(b"\n");
        }
        line(page, b"TYPE");
        page.put(kind);
        page.put(b"\n");
        if format == Format::OpenMetrics && family.kind != Kind::Info && is_unit_of(family.unit, family.name)
        {
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
