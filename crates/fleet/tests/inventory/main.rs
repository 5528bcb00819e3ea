//! An inventory as an operator writes it: what it comes to, and every way in which it can be wrong.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod destinations;
mod files;
mod fuzz;
mod meaning;
mod mistakes;
mod texts;
