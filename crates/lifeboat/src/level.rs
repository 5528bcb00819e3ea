//! How grave a record is. The numbers are those of the table.

/// How grave a record is: Sentry's levels.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who build the node.
    Debug = 0,
    /// The ordinary course.
    Info = 1,
    /// Worth a look.
    Warning = 2,
    /// Something failed.
    Error = 3,
    /// The process ends.
    Fatal = 4,
}
