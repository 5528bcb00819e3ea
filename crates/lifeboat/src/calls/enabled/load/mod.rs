//! Load mode: the reporter is a file.

#[cfg(not(feature = "load"))]
mod disabled;
#[cfg(feature = "load")]
mod enabled;

#[cfg(not(feature = "load"))]
pub(super) use disabled::{IS_IN, find};
#[cfg(feature = "load")]
pub(super) use enabled::{IS_IN, find};

#[cfg(all(feature = "load", feature = "link"))]
compile_error!(
    "the features `load` and `link` exclude each other: ask for one, or for none in a public build"
);

#[cfg(not(any(feature = "load", feature = "link")))]
compile_error!("the feature `_on` is what `load` and `link` have in common: ask for one of them");
