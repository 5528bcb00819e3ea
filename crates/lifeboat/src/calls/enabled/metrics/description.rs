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
const LABELS_FEW: usize = 4;
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

    /// Hands over the handle that the reporter knows, for the length of one call. It keeps none of these texts. Where the
    /// metric's family is known it wants none but the labels'.
    pub(super) fn lowered<T>(
        &self,
        slot: u32,
        family: u32,
        more: &[Label<'_>],
        then: impl FnOnce(&mut Metric) -> T,
    ) -> T {
        let is_too_much = self.labels.len() + more.len() > LABELS_MAX || self.bounds.len() > BOUNDS_MAX;
        // No metric is called so: the reporter refuses and counts it.
        let name = if is_too_much { "" } else { self.name };
        if family != 0 && !is_too_much {
            return self.with_labels(resolved(self.kind, slot, self.bounds), family, more, then);
        }
        let texts = (
            terminated::<NAME_ROOM>(self.module),
            terminated::<NAME_ROOM>(name),
            terminated::<HELP_ROOM>(self.help),
            terminated::<UNIT_ROOM>(self.unit),
        );
        let metric = Metric {
            module: texts.0.as_ptr(),
            name: texts.1.as_ptr(),
            help: texts.2.as_ptr(),
            unit: texts.3.as_ptr(),
            ..resolved(self.kind, slot, self.bounds)
        };
        self.with_labels(metric, 0, more, then)
    }

    /// Most have few labels.
    fn with_labels<T>(
        &self,
        metric: Metric,
        family: u32,
        more: &[Label<'_>],
        then: impl FnOnce(&mut Metric) -> T,
    ) -> T {
        let metric = Metric { reserved: family, ..metric };
        if self.labels.len() + more.len() <= LABELS_FEW {
            self.with_room::<LABELS_FEW, T>(metric, more, then)
        } else {
            self.with_room::<LABELS_MAX, T>(metric, more, then)
        }
    }

    fn with_room<const ROOM: usize, T>(
        &self,
        metric: Metric,
        more: &[Label<'_>],
        then: impl FnOnce(&mut Metric) -> T,
    ) -> T {
        let mut labels = [MetricLabel { name: EMPTY, value: EMPTY }; ROOM];
        for (place, (name, value)) in labels.iter_mut().zip(self.labels.iter().chain(more)) {
            *place = MetricLabel { name: borrowed(name), value: borrowed(value) };
        }
        let labels_count = (self.labels.len() + more.len()).min(ROOM) as u32;
        then(&mut Metric { labels: labels.as_ptr(), labels_count, ..metric })
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
            description.lowered(0, 0, &labels[..count], |metric| unsafe { metric.name.read() })
        };
        assert_eq!((name(LABELS_MAX), name(LABELS_MAX + 1)), (b'm' as c_char, 0));
        let many = Description { bounds: &[0.0; BOUNDS_MAX + 1], ..description };
        // SAFETY: as above.
        assert_eq!(many.lowered(0, 7, &[], |metric| unsafe { metric.name.read() }), 0);
    }
}
