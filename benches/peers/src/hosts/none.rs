//! The host without a reporter: what a death costs by itself.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    lifeboat_peers::live(|_| Ok(()))
}
