//! What runs inside the node: maps the flight recorder, starts the monitor, holds the signal handlers.
//!
//! No allocator, no lock, no thread, no libc: raw system calls, bounded work. Nothing here can panic; the
//! loadable library built from it (`ffi/`) does not link otherwise.
#![no_std]
#![cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    allow(dead_code, reason = "nothing runs there")
)]

mod action;
mod altstack;
mod bell;
mod calls;
mod chain;
mod check;
mod environ;
mod exit;
mod handler;
mod hang;
mod info;
mod metrics;
mod monitor;
mod raw_capture;
mod settings;
mod shared;
mod signal_info;
mod signals;
mod spawn;
mod start;
mod state;
mod sys;
mod systemd;
mod table;
mod text;
mod trust;

pub use exit::on_exit;
pub use table::api;
