//! `lifeboat fleet render`.

use std::path::Path;

use lifeboat_fleet::{Inventory, Options};

use crate::output::{Failure, print};

pub(super) fn run(inventory: &Inventory, out: &Path, accelerate: u64) -> Result<(), Failure> {
    let tree = lifeboat_fleet::render(inventory, Options { accelerate }).map_err(Failure::no)?;
    let failed = |error| Failure::no(format!("cannot write to {}: {error}", out.display()));
    let written = tree.write(out).map_err(failed)?;
    let lines: String = written.changed.iter().map(|path| format!("wrote {}\n", path.display())).collect();
    print(&format!("{lines}{} files written, {} unchanged\n", written.changed.len(), written.unchanged.len()))
}
