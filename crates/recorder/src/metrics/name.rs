//! What a metric may be called, and how labels are written: Prometheus' data model.
//! See <https://prometheus.io/docs/concepts/data_model/>.

/// One label.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// A text of bounded length, put together without allocating.
pub(crate) struct Text<const ROOM: usize> {
    bytes: [u8; ROOM],
    length: usize,
    is_short: bool,
}

impl<const ROOM: usize> Text<ROOM> {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; ROOM], length: 0, is_short: false }
    }

    pub(crate) fn push(&mut self, text: &[u8]) {
        match self.bytes.get_mut(self.length..).and_then(|rest| rest.get_mut(..text.len())) {
            Some(place) => {
                place.copy_from_slice(text);
                self.length += text.len();
            }
            None => self.is_short = true,
        }
    }

    /// The text, unless there was too much of it.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length).filter(|_| !self.is_short)
    }
}

/// Letters, digits and underscores, no digit first. Colons are for rules, not for metrics.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.first().is_some_and(|first| is_letter(*first))
        && name.iter().all(|byte| is_letter(*byte) || byte.is_ascii_digit())
}

/// As a name; two underscores in front are Prometheus' own, `le` is a histogram's.
fn is_label(name: &[u8]) -> bool {
    is_name(name) && !name.starts_with(b"__") && name != b"le" && name != b"quantile"
}

/// Writes `a="x",b="y"`, with what the format wants escaped. False where a name is none or comes twice.
pub(crate) fn write_labels<const ROOM: usize>(labels: &[Label<'_>], into: &mut Text<ROOM>) -> bool {
    for (index, label) in labels.iter().enumerate() {
        let mut earlier = labels.iter().take(index);
        if !is_label(label.name) || earlier.any(|earlier| earlier.name == label.name) {
            return false;
        }
        if index > 0 {
            into.push(b",");
        }
        into.push(label.name);
        into.push(b"=\"");
        write_value(label.value, into);
        into.push(b"\"");
    }
    true
}

/// Text that is no UTF-8 would make the whole page unreadable: such bytes become question marks.
fn write_value<const ROOM: usize>(value: &[u8], into: &mut Text<ROOM>) {
    for chunk in value.utf8_chunks() {
        for letter in chunk.valid().as_bytes() {
            match letter {
                b'\\' => into.push(b"\\\\"),
                b'"' => into.push(b"\\\""),
                b'\n' => into.push(b"\\n"),
                other => into.push(&[*other]),
            }
        }
        if !chunk.invalid().is_empty() {
            into.push(b"?");
        }
    }
}

/// Help on one line. The two formats disagree on quotes in it: they become single ones.
pub(crate) fn write_help<const ROOM: usize>(help: &[u8], into: &mut Text<ROOM>) {
    for chunk in help.utf8_chunks() {
        for letter in chunk.valid().as_bytes() {
            match letter {
                b'\\' => into.push(b"\\\\"),
                b'"' => into.push(b"'"),
                b'\n' => into.push(b" "),
                other => into.push(&[*other]),
            }
        }
    }
}

/// FNV-1a, never 0.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let mut sum = 0xCBF2_9CE4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0xFF]) {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
    sum.max(1)
}
