//! The keys that are known, each with its handle.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use metrics::Key;

use super::handle::Handle;

/// Most keys that are kept, and the longest texts of one, bytes: labels that a peer chooses must not fill the memory.
const KEYS_MAX: usize = 10_000;
const KEY_BYTES_MAX: usize = 512;

/// The keys of one kind.
#[derive(Debug, Default)]
pub(super) struct Keys(RwLock<HashMap<Key, Arc<Handle>, BuildHasherDefault<Known>>>);

impl Keys {
    /// The key's handle, made if there is none; `make` learns whether it will be kept.
    pub(super) fn get(&self, key: &Key, make: impl FnOnce(bool) -> Handle) -> Arc<Handle> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = known.get(key) {
            return Arc::clone(handle);
        }
        let is_kept = known.len() < KEYS_MAX && bytes(key) <= KEY_BYTES_MAX;
        drop(known);
        let made = Arc::new(make(is_kept));
        if !is_kept {
            return made;
        }
        // Another thread may have been quicker: then its handle is the one.
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key.to_retained()).or_insert(made))
    }
}

/// A key knows its hash, and hands over that number alone.
#[derive(Default)]
struct Known(u64);

impl Hasher for Known {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

fn bytes(key: &Key) -> usize {
    let labels = key.labels().map(|label| label.key().len() + label.value().len());
    key.name().len() + labels.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use lifeboat_abi::MetricKind;

    use super::*;

    #[test]
    fn keys_are_kept_up_to_a_number_and_a_length() {
        let keys = Keys::default();
        let kept = Cell::new(0);
        let get = |name: String| {
            let key = Key::from_name(name);
            keys.get(&key, |is_kept| {
                kept.set(kept.get() + usize::from(is_kept));
                Handle::new(MetricKind::Counter, &key, Arc::default(), Arc::default(), is_kept)
            })
        };
        let first = get("first".to_owned());
        assert!(Arc::ptr_eq(&first, &get("first".to_owned())));
        let long = "x".repeat(KEY_BYTES_MAX + 1);
        assert!(!Arc::ptr_eq(&get(long.clone()), &get(long)));
        for number in 0..2 * KEYS_MAX {
            get(number.to_string());
        }
        assert_eq!((kept.get(), keys.0.read().unwrap().len()), (KEYS_MAX, KEYS_MAX));
        assert!(Arc::ptr_eq(&first, &get("first".to_owned())));
    }
}
