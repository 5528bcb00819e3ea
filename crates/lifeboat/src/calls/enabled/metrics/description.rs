//! What a series is, in the node's words, and as the reporter reads it.

use std::ffi::c_char;
use std::ptr;

use lifeboat_abi::{Metric, MetricKind, MetricLabel};

use super::super::EMPTY;
use super::super::text::borrowed;
use super::Label;

/// Longest texts on their way to the reporter, with the NUL. It takes shorter ones: what is cut here is refused there,
/// but for the help.
const NAME_ROOM: usize = 202;
const UNIT_ROOM: usize = 40;
const HELP_ROOM: usize = 384;
/// Most labels of a series, and most bounds of a histogram.
const LABELS_MAX: usize = 32;
const BOUNDS_MAX: usize = 32;

/// One series: what it is, its name and its labels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a> {
    pub(crate) kind: MetricKind,
    pub(crate) module: &'a str,
    pub(crate) name: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) help: &'a str,
    pub(crate) labels: &'a [Label<'a>],
    pub(crate) bounds: &'a [f64],
}

impl<'a> Description<'a> {
    /// A metric without unit and labels.
    pub(super) const fn new(kind: MetricKind, module: &'a str, name: &'a str, help: &'a str) -> Self {
        Self { kind, module, name, unit: "", help, labels: &[], bounds: &[] }
    }

    /// Hands over the handle that the reporter knows, for the length of one call. It keeps none of these texts.
    pub(super) fn lowered<T>(&self, slot: u32, more: &[Label<'_>], then: impl FnOnce(&mut Metric) -> T) -> T {
        let mut labels = [MetricLabel { name: EMPTY, value: EMPTY }; LABELS_MAX];
        for (place, (name, value)) in labels.iter_mut().zip(self.labels.iter().chain(more)) {
            *place = MetricLabel { name: borrowed(name), value: borrowed(value) };
        }
        let count = self.labels.len() + more.len();
        // No metric is called so: the reporter refuses and counts it.
        let is_too_much = count > LABELS_MAX || self.bounds.len() > BOUNDS_MAX;
        let name = if is_too_much { "" } else { self.name };
        let texts = (
            terminated::<NAME_ROOM>(self.module),
            terminated::<NAME_ROOM>(name),
            terminated::<HELP_ROOM>(self.help),
            terminated::<UNIT_ROOM>(self.unit),
        );
        let mut metric = Metric {
            struct_size: size_of::<Metric>() as u32,
            kind: self.kind as u32,
            slot,
            labels_count: count.min(LABELS_MAX) as u32,
            labels: labels.as_ptr(),
            module: texts.0.as_ptr(),
            name: texts.1.as_ptr(),
            help: texts.2.as_ptr(),
            unit: texts.3.as_ptr(),
            bounds: self.bounds.as_ptr(),
            bounds_count: self.bounds.len() as u32,
            reserved: 0,
        };
        then(&mut metric)
    }
}

/// A handle that has its slot: the reporter looks at nothing else but a histogram's bounds.
pub(super) fn resolved(kind: MetricKind, slot: u32, bounds: &[f64]) -> Metric {
    Metric {
        struct_size: size_of::<Metric>() as u32,
        kind: kind as u32,
        slot,
        labels_count: 0,
        labels: ptr::null(),
        module: ptr::null(),
        name: ptr::null(),
        help: ptr::null(),
        unit: ptr::null(),
        bounds: bounds.as_ptr(),
        bounds_count: bounds.len() as u32,
        reserved: 0,
    }
}

/// The text with its NUL. One in the middle becomes a mark that no name may hold.
fn terminated<const ROOM: usize>(text: &str) -> [c_char; ROOM] {
    let text = text.get(..text.floor_char_boundary(ROOM - 1)).unwrap_or_default();
    let mut room = [0; ROOM];
    for (to, from) in room.iter_mut().zip(text.bytes()) {
        *to = (if from == 0 { b'?' } else { from }) as c_char;
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_with_a_nul_and_hold_no_other() {
        assert_eq!(terminated::<4>("a\0b"), [b'a', b'?', b'b', 0].map(|byte| byte as c_char));
        assert_eq!(terminated::<4>("aäöü"), [97, 0xC3_u8 as c_char, 0xA4_u8 as c_char, 0]);
        assert_eq!(terminated::<2>(""), [0, 0]);
    }

    #[test]
    fn too_much_is_no_metric() {
        let description = Description::new(MetricKind::Counter, "gossip", "messages", "");
        let labels = [("a", "b"); LABELS_MAX + 1];
        let name = |count: usize| {
            // SAFETY: the name has a first byte, its NUL at least.
            description.lowered(0, &labels[..count], |metric| unsafe { metric.name.read() })
        };
        assert_eq!((name(LABELS_MAX), name(LABELS_MAX + 1)), (b'm' as c_char, 0));
        let many = Description { bounds: &[0.0; BOUNDS_MAX + 1], ..description };
        // SAFETY: as above.
        assert_eq!(many.lowered(0, &[], |metric| unsafe { metric.name.read() }), 0);
    }
}
