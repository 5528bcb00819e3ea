//! The host with Sentry's client for Rust and its minidump part, which starts this program a second time as the
//! reporter. The environment names the server. The reporter says when the dump is written: it holds the file open until
//! it is sent, and then deletes it, so that nobody else can see.

use std::error::Error;

use lifeboat_peers::{now_ns, say};
use sentry::ClientOptions;
use sentry_minidump::MinidumpIntegration;

fn main() -> Result<(), Box<dyn Error>> {
    lifeboat_peers::live(|folder| {
        let minidumps = MinidumpIntegration::new().crashes_dir(folder.join("report"));
        let minidumps = minidumps.before_capture(|_, dump| {
            say(c"written", now_ns());
            say(c"bytes", std::fs::metadata(dump).map_or(0, |file| file.len()));
        });
        Ok(sentry::init(ClientOptions::new().add_integration(minidumps)))
    })
}
