//! The host with Lifeboat, loaded at run time as a C or C++ node loads it.

use std::error::Error;
use std::ffi::c_int;

unsafe extern "C" {
    safe fn peers_lifeboat_start() -> c_int;
}

fn main() -> Result<(), Box<dyn Error>> {
    lifeboat_peers::live(|_| match peers_lifeboat_start() {
        0 => Ok(()),
        status => Err(format!("lifeboat_start answered {status}").into()),
    })
}
