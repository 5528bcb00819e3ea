//! C++: what `std::terminate` says of an exception that nobody caught, in the words of libstdc++ and libc++.

use lifeboat_abi::Origin;

use super::{Reason, bare};

const THROWN: &str = "terminate called after throwing an instance of '";
const WHAT: &str = "  what():  ";
const WITHOUT: [&str; 2] = ["terminate called without an active exception", "terminate called recursively"];
/// libc++, and its older form.
const OF_TYPE: [&str; 2] = ["due to uncaught exception of type ", "with uncaught exception of type "];

pub(super) fn at(_: &[&str], line: &str, after: &[&str]) -> Option<Reason> {
    if let Some((_, kind)) = line.split_once(THROWN) {
        let what = after.first().and_then(|next| next.strip_prefix(WHAT)).unwrap_or_default();
        return Some(bare(Origin::Cpp, kind.trim_end().trim_end_matches('\''), what));
    }
    if let Some(told) = WITHOUT.iter().find(|told| line.ends_with(**told)) {
        return Some(bare(Origin::Cpp, "std::terminate", told));
    }
    let told = line.contains("terminating ").then(|| OF_TYPE.iter().find_map(|of| line.split_once(of)))??;
    let (kind, what) = told.1.split_once(": ").unwrap_or((told.1, ""));
    Some(bare(Origin::Cpp, kind, what))
}
