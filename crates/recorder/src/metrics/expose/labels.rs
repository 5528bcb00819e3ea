//! Labels as a node left them: most are shown as they are, others mended or left out. One that broke the page would take the
//! metrics of all others with it.

use super::super::name::Text;

/// Labels that are looked at; one with more is left out.
const LABELS_MAX: usize = 32;
/// Mended labels may be longer: each byte may need another before it, each name `exported_`.
pub(super) const MENDED_MAX: usize = 2048;

/// Whether labels can be shown as they are; `others` are those of the source, whose names win.
pub(super) fn are_fit(labels: &[u8], others: &[u8]) -> bool {
    labels.is_empty()
        || (is_sound(labels) && (others.is_empty() || !parts(labels).any(|part| is_taken(part, others))))
}

/// Writes labels again, escaped, under names that nobody else has; nothing where they are none.
pub(super) fn mend<'m>(labels: &[u8], others: &[u8], into: &'m mut Text<MENDED_MAX>) -> Option<&'m [u8]> {
    for (index, part) in parts(labels).enumerate() {
        let (name, value) = part.filter(|(name, _)| is_shown_name(name) && index < LABELS_MAX)?;
        into.push(if index > 0 { b"," } else { b"" });
        into.push(if is_taken(part, others) { b"exported_" } else { b"" });
        into.push(name);
        into.push(b"=\"");
        write_again(value, into);
        into.push(b"\"");
    }
    into.whole().filter(|labels| is_sound(labels))
}

/// Whether the source has this label's name already.
fn is_taken(part: Option<(&[u8], &[u8])>, others: &[u8]) -> bool {
    part.is_some_and(|(name, _)| parts(others).flatten().any(|(other, _)| other == name))
}

/// Whether these are labels as they are exposed, each name once.
fn is_sound(labels: &[u8]) -> bool {
    let mut seen = 0_u64;
    let mut rest = labels;
    for index in 0..LABELS_MAX {
        let Some((name, after)) = rest.split_at_checked(name_length(rest)) else { return false };
        // Two of one name have one mark; only where a mark comes again are names compared.
        let mark = 1 << (name.first().map_or(0, |first| usize::from(*first) + 7 * name.len()) & 63);
        if !is_shown_name(name) || (seen & mark != 0 && is_earlier(name, labels, index)) {
            return false;
        }
        seen |= mark;
        match after.strip_prefix(b"=\"").and_then(after_value) {
            Some([]) => return labels.is_ascii() || core::str::from_utf8(labels).is_ok(),
            Some([b',', after @ ..]) => rest = after,
            _ => return false,
        }
    }
    false
}

/// Whether one of the first labels has this name.
fn is_earlier(name: &[u8], labels: &[u8], count: usize) -> bool {
    parts(labels).take(count).any(|part| part.is_some_and(|(other, _)| other == name))
}

/// `le` and `quantile` are written by whoever exposes.
fn is_shown_name(name: &[u8]) -> bool {
    let is_digit = name.first().is_none_or(u8::is_ascii_digit);
    !is_digit && !name.starts_with(b"__") && name != b"le" && name != b"quantile"
}

/// How many bytes there are that a name may hold.
fn name_length(text: &[u8]) -> usize {
    let mut rest = text;
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let others = not_in_name(u64::from_le_bytes(*eight));
        if others != 0 {
            return text.len() - rest.len() + (others.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    let is_in = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.len() - rest.len() + rest.iter().position(|byte| !is_in(byte)).unwrap_or(rest.len())
}

const ONES: u64 = u64::MAX / 0xFF;
const TOPS: u64 = ONES << 7;

/// The top bits of those of eight bytes that no name may hold: all but letters, digits and underscores.
const fn not_in_name(eight: u64) -> u64 {
    const fn from(seven_bits: u64, least: u8) -> u64 {
        ((seven_bits | TOPS) - least as u64 * ONES) & TOPS
    }
    let seven = eight & !TOPS;
    let small = seven | (0x20 * ONES);
    let letters = from(small, b'a') & !from(small, b'z' + 1);
    let digits = from(seven, b'0') & !from(seven, b'9' + 1);
    let underscores = from(seven, b'_') & !from(seven, b'_' + 1);
    (!(letters | digits | underscores) | eight) & TOPS
}

/// What follows the quote that ends a value; nothing where there is none, where a line ends before, and where a backslash
/// says nothing.
fn after_value(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        // Most of a value is passed by in steps of eight.
        if let Some(eight) = rest.first_chunk::<8>() {
            let first = ordinary(u64::from_le_bytes(*eight));
            rest = rest.get(first..)?;
            if first == 8 {
                continue;
            }
        }
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'\\' | b'"' | b'n', after @ ..] => after,
            [b'\\' | b'\n', ..] | [] => return None,
            [_, after @ ..] => after,
        }
    }
}

/// How many of eight bytes stand before the first quote, backslash or line's end.
const fn ordinary(eight: u64) -> usize {
    const fn zeros(eight: u64) -> u64 {
        eight.wrapping_sub(ONES) & !eight & TOPS
    }
    const fn all(byte: u8) -> u64 {
        byte as u64 * ONES
    }
    let found = zeros(eight ^ all(b'"')) | zeros(eight ^ all(b'\\')) | zeros(eight ^ all(b'\n'));
    (found.trailing_zeros() / 8) as usize
}

/// Names and values as they stand between commas and quotes; nothing, and the end, where that is not so.
fn parts(labels: &[u8]) -> impl Iterator<Item = Option<(&[u8], &[u8])>> {
    let mut rest = Some(labels).filter(|labels| !labels.is_empty());
    core::iter::from_fn(move || {
        let labels = rest.take()?;
        let part = split(labels);
        rest = match part {
            Some((_, _, [b',', after @ ..])) if !after.is_empty() => Some(after),
            Some((_, _, [])) => None,
            _ => return Some(None),
        };
        Some(part.map(|(name, value, _)| (name, value)))
    })
}

/// The first label's name and value, and what follows its closing quote.
fn split(labels: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let equals = labels.iter().position(|byte| *byte == b'=')?;
    let (name, rest) = labels.split_at_checked(equals)?;
    let rest = rest.strip_prefix(b"=\"")?;
    let mut is_after_backslash = false;
    let end = rest.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_after_backslash;
        is_after_backslash = *byte == b'\\' && !is_after_backslash;
        is_end
    })?;
    let (value, rest) = rest.split_at_checked(end)?;
    Some((name, value, rest.strip_prefix(b"\"")?))
}

fn write_again(value: &[u8], into: &mut Text<MENDED_MAX>) {
    let mut is_after_backslash = false;
    for chunk in value.utf8_chunks() {
        for byte in chunk.valid().as_bytes() {
            match byte {
                b'\\' if !is_after_backslash => {
                    is_after_backslash = true;
                    continue;
                }
                b'\\' | b'"' | b'n' if is_after_backslash => into.push(&[b'\\', *byte]),
                b'\n' if is_after_backslash => into.push(b"\\\\\\n"),
                b'\n' => into.push(b"\\n"),
                other if is_after_backslash => into.push(&[b'\\', b'\\', *other]),
                other => into.push(&[*other]),
            }
            is_after_backslash = false;
        }
        if !chunk.invalid().is_empty() {
            into.push(if is_after_backslash { b"\\\\?" } else { b"?" });
            is_after_backslash = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_where_its_bytes_do() {
        for byte in 0..=u8::MAX {
            let is_in = byte.is_ascii_alphanumeric() || byte == b'_';
            for at in 0..20 {
                let mut text = [b'x'; 20];
                text[at] = byte;
                assert_eq!(name_length(&text), if is_in { 20 } else { at }, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn a_value_ends_at_its_quote() {
        let after = |text: &[u8]| after_value(text).map(<[u8]>::len);
        for length in 0..20 {
            let mut text = [b'v'; 24];
            text[length] = b'"';
            assert_eq!(after(&text), Some(23 - length));
            for (bytes, expected) in
                [(b"\\\"", Some(21 - length)), (b"\\\\", Some(21 - length)), (b"\\x", None), (b"\n\"", None)]
            {
                text[length..length + 2].copy_from_slice(bytes);
                text[length + 2] = b'"';
                assert_eq!(after(&text), expected, "{bytes:?} at {length}");
            }
            assert_eq!(after(&[b'v'; 24][..length]), None);
        }
    }
}
