//! Labels as a node left them: most are shown as they are, others mended or left out. One that broke the page would take the
//! metrics of all others with it.

use super::super::name::{Text, is_name};

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
        let named = |other: Option<(&[u8], &[u8])>| other.is_some_and(|(other, _)| other == name);
        if parts(labels).take(index).any(named) {
            return None;
        }
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
    let mut names: [&[u8]; LABELS_MAX] = [&[]; LABELS_MAX];
    for (index, part) in parts(labels).enumerate() {
        let Some((name, value)) = part else { return false };
        if !is_shown_name(name)
            || names.iter().take(index).any(|earlier| *earlier == name)
            || !is_escaped(value)
        {
            return false;
        }
        match names.get_mut(index) {
            Some(place) => *place = name,
            None => return false,
        }
    }
    labels.is_ascii() || core::str::from_utf8(labels).is_ok()
}

/// `le` and `quantile` are written by whoever exposes.
fn is_shown_name(name: &[u8]) -> bool {
    is_name(name) && !name.starts_with(b"__") && name != b"le" && name != b"quantile"
}

/// Whether a value between its quotes holds no line's end, and each backslash says something.
fn is_escaped(value: &[u8]) -> bool {
    let mut is_after_backslash = false;
    for byte in value {
        if is_after_backslash && !matches!(byte, b'\\' | b'"' | b'n') || *byte == b'\n' {
            return false;
        }
        is_after_backslash = *byte == b'\\' && !is_after_backslash;
    }
    true
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
