//! YAML that people read: written from structures, never pasted together.

use serde::Serialize;

/// First lines of each file.
pub(super) const HEAD: &str =
    "# Rendered by `lifeboat fleet render`: the next rendering writes this file anew.\n";

/// The text of a file.
pub(super) fn file(value: &impl Serialize) -> Result<String, String> {
    let body = serde_saphyr::to_string(value).map_err(|error| error.to_string())?;
    Ok(format!("{HEAD}{body}"))
}

/// The same, with sentences for who reads it.
pub(super) fn file_with_notes(value: &impl Serialize, notes: &[String]) -> Result<String, String> {
    let text = file(value)?;
    let body = text.strip_prefix(HEAD).unwrap_or(&text);
    let notes: String =
        notes.iter().map(|note| format!("# {}\n", note.replace(char::is_control, " "))).collect();
    Ok(format!("{HEAD}{notes}{body}"))
}
