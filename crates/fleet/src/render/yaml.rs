//! YAML that people read: written from structures, never pasted together.

use serde::Serialize;

/// First lines of each file.
const HEAD: &str = "# Rendered by `lifeboat fleet render`: the next rendering writes this file anew.\n";

/// The text of a file.
pub(super) fn file(value: &impl Serialize) -> Result<String, String> {
    let body = serde_saphyr::to_string(value).map_err(|error| error.to_string())?;
    Ok(format!("{HEAD}{body}"))
}
