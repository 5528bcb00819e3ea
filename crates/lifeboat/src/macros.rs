//! The calls that take a format. In the public build nothing is evaluated: the branch is constant, and gone
//! before code is made, so that not even a debug build holds the texts.

/// Starts with the name and version of the calling package; more options may follow, each with its dot.
///
/// ```
/// lifeboat::start!();
/// lifeboat::start!(.fleet("demo").report_caught_panics(true));
/// ```
#[macro_export]
macro_rules! start {
    ($($option:tt)*) => {
        if $crate::ENABLED {
            $crate::start(
                $crate::Options::new()
                    .app(::core::env!("CARGO_PKG_NAME"))
                    .version(::core::env!("CARGO_PKG_VERSION"))
                    $($option)*
            )
        } else {
            $crate::Status::DISABLED
        }
    };
}

/// Sets a tag of the node; a later value replaces the earlier. The value is a format or anything that displays.
///
/// ```
/// let shard = 2;
/// lifeboat::tag!("role", "store");
/// lifeboat::tag!("shard", shard);
/// lifeboat::tag!("shards", "{shard} of 8");
/// ```
#[macro_export]
macro_rules! tag {
    ($key:expr, $format:literal $(, $($arguments:tt)*)?) => {
        if $crate::ENABLED && $crate::is_on() {
            $crate::formatted::tag($key, ::core::format_args!($format $(, $($arguments)*)?))
        } else {
            $crate::Status::NOT_STARTED
        }
    };
    ($key:expr, $value:expr $(,)?) => {
        $crate::tag!($key, "{}", $value)
    };
}

/// Sets one value in a context section, such as `node` / `peers` / 48.
///
/// ```
/// let peers = ["anna", "bert"];
/// lifeboat::context!("node", "peers", peers.len());
/// ```
#[macro_export]
macro_rules! context {
    ($section:expr, $key:expr, $format:literal $(, $($arguments:tt)*)?) => {
        if $crate::ENABLED && $crate::is_on() {
            $crate::formatted::context($section, $key, ::core::format_args!($format $(, $($arguments)*)?))
        } else {
            $crate::Status::NOT_STARTED
        }
    };
    ($section:expr, $key:expr, $value:expr $(,)?) => {
        $crate::context!($section, $key, "{}", $value)
    };
}

/// Leaves a breadcrumb, one step of the trail before a death. Nothing is formatted while no reporter is at work.
///
/// ```
/// lifeboat::breadcrumb!(lifeboat::Level::Warning, "peer", "{} peers pruned", 16);
/// ```
#[macro_export]
macro_rules! breadcrumb {
    ($level:expr, $category:expr, $($message:tt)+) => {
        if $crate::ENABLED && $crate::is_on() {
            $crate::formatted::breadcrumb($level, $category, ::core::format_args!($($message)+))
        } else {
            $crate::Status::NOT_STARTED
        }
    };
}

/// Reports a handled error, with the stack of the call.
///
/// ```
/// let path = "/var/lib/node/store";
/// lifeboat::error!(lifeboat::Level::Error, "DatabaseError", "cannot open {path}");
/// ```
#[macro_export]
macro_rules! error {
    ($level:expr, $kind:expr, $($message:tt)+) => {
        if $crate::ENABLED && $crate::is_on() {
            $crate::formatted::error($level, $kind, ::core::format_args!($($message)+))
        } else {
            $crate::Status::NOT_STARTED
        }
    };
}

/// Last words: the process is about to end. They become the title of its report.
///
/// ```no_run
/// lifeboat::fatal!("ConfigError", "the database is from version {}", 8);
/// std::process::exit(1);
/// ```
#[macro_export]
macro_rules! fatal {
    ($kind:expr, $($message:tt)+) => {
        if $crate::ENABLED && $crate::is_on() {
            $crate::formatted::fatal($kind, ::core::format_args!($($message)+))
        } else {
            $crate::Status::NOT_STARTED
        }
    };
}

/// Proof of life of a loop, as the function of this name; in the public build not even the order of the code differs.
///
/// ```
/// lifeboat::heartbeat!("gossip", 2_000);
/// ```
#[macro_export]
macro_rules! heartbeat {
    ($name:expr, $deadline_ms:expr $(,)?) => {
        if $crate::ENABLED { $crate::heartbeat($name, $deadline_ms) } else { $crate::Status::DISABLED }
    };
}
