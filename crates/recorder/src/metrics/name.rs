//! What a metric may be called, and how labels are written: Prometheus' data model.
//! See <https://prometheus.io/docs/concepts/data_model/>.

use super::layout::{GIVEN_UP, LABELS_MAX};

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

/// Whether all names are such, and none comes twice.
pub(crate) fn are_labels(labels: &[Label<'_>]) -> bool {
    labels.iter().enumerate().all(|(index, label)| {
        let mut earlier = labels.iter().take(index);
        is_label(label.name) && earlier.all(|earlier| earlier.name != label.name)
    })
}

/// Whether these are exposed as the labels of what had no room. A label without a value is none to Prometheus.
pub(crate) fn is_overflow(labels: &[Label<'_>]) -> bool {
    let is_one = |label: &Label<'_>| label.name == b"overflow" && label.value == b"true";
    labels.iter().any(is_one)
        && labels.iter().all(|label| label.value.is_empty() || is_one(label))
        && are_labels(labels)
}

/// Writes `a="x",b="y"`, with what the format wants escaped. False where they are no labels.
pub(crate) fn write_labels<const ROOM: usize>(labels: &[Label<'_>], into: &mut Text<ROOM>) -> bool {
    for (index, label) in labels.iter().enumerate() {
        if index > 0 {
            into.push(b",");
        }
        into.push(label.name);
        into.push(b"=\"");
        write_value(label.value, into);
        into.push(b"\"");
    }
    are_labels(labels)
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

/// The key of labels, whatever their order: equal for those that are exposed alike. Never 0 nor [`GIVEN_UP`]; nothing where they
/// are too long. It is computed at every use of labels that are known late, so it takes eight bytes at a time.
pub(crate) fn key(seed: u64, labels: &[Label<'_>]) -> Option<u64> {
    let start = mix(seed);
    let mut sum = start;
    // A label without a value is none to Prometheus.
    for label in labels.iter().filter(|label| !label.value.is_empty()) {
        let name = absorb(start, label.name);
        let both = if label.value.is_ascii() {
            absorb(name, label.value)
        } else {
            // What is no UTF-8 is exposed as something else.
            let mut exposed = Text::<LABELS_MAX>::new();
            for chunk in label.value.utf8_chunks() {
                exposed.push(chunk.valid().as_bytes());
                exposed.push(if chunk.invalid().is_empty() { b"" } else { b"?" });
            }
            absorb(name, exposed.whole()?)
        };
        sum = sum.wrapping_add(both);
    }
    Some(mix(sum).clamp(1, GIVEN_UP - 1))
}

fn absorb(start: u64, text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let sum = words.iter().fold(start, |sum, word| mix(sum ^ u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(text.len() as u64, |sum, byte| sum << 8 | u64::from(*byte));
    mix(sum ^ rest)
}

/// Both halves of a product: each bit of the answer hangs on every bit of the number.
fn mix(number: u64) -> u64 {
    let product = u128::from(number ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93_u128;
    (product as u64) ^ (product >> 64) as u64
}
