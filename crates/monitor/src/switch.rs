//! Whether a program that is started in this environment is left to a reporter of its own, or is not to be reported.

pub use lifeboat_abi::Switch;

/// Who is to report a program's death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporter {
    /// Nobody: `LIFEBOAT` turns everything off.
    Nobody,
    /// A reporter in the program, as this variable says.
    Own(&'static str),
    /// Nothing in the environment names one.
    NotNamed,
}

/// What the environment says.
#[must_use]
pub fn reporter() -> Reporter {
    let is_named = std::env::var_os("LIFEBOAT_REPORTER").is_some_and(|named| !named.is_empty());
    match std::env::var_os("LIFEBOAT").and_then(|value| Switch::of(value.as_encoded_bytes())) {
        Some(switch) if switch.forbids() => Reporter::Nobody,
        Some(_) => Reporter::Own("LIFEBOAT"),
        None if is_named => Reporter::Own("LIFEBOAT_REPORTER"),
        None => Reporter::NotNamed,
    }
}
