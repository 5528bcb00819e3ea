//! What the fuzz targets share: a recorder that was lived in, ways to damage it, and a walk through all of it.
//!
//! A recorder has a megabyte and most of it is zeroes: the fuzzer does not make one byte by byte, it says what to
//! change in one that is whole. Some changes mend the checksum behind them, as somebody with intent would.

mod image;
mod walk;

pub use image::{Changes, Image, Input};
pub use walk::walk;
