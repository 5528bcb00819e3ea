//! A program that has the sentry SDK already, panics and all: with one more line its events go to Lifeboat's spool,
//! and are on disk before the process ends.
//!
//!     cargo run --features sentry --bin rust-sentry-node -- --die panic
//!     lifeboat show latest
//!
//! `SENTRY_DSN` turns the SDK on, as ever.

fn main() {
    lifeboat::start!();
    let options = sentry::ClientOptions::new()
        .release(env!("CARGO_PKG_VERSION"))
        // The one line. The SDK would name the host: a node names itself, or nobody does.
        .transport(lifeboat::sentry::transport());
    let _guard = sentry::init(options);
    if std::env::args().any(|word| word == "panic") {
        deliver(&[1, 2, 3]);
    }
    sentry::capture_message("the store is nearly full", sentry::Level::Warning);
}

#[inline(never)]
fn deliver(message: &[u8]) {
    let sum = checksum(message);
    println!("delivered {sum}");
}

#[inline(never)]
fn checksum(message: &[u8]) -> u32 {
    let sum = message.iter().map(|byte| u32::from(*byte)).sum();
    assert_eq!(sum, 7, "the checksum is wrong");
    sum
}
