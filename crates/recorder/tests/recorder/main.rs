//! The flight recorder from outside: what its writers are given, a reader of a copy must find, whole or not at all.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod death;
mod health;
// The reader is safe code: Miri would only be slow.
#[cfg(not(miri))]
mod hostile;
mod scene;
mod stores;
mod texts;
mod threads;
mod torn;
mod words;
