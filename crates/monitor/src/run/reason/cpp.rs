//! C++: what `std::terminate` says of an exception that nobody caught, in the words of libstdc++ and libc++.

use lifeboat_abi::Origin;

use super::{Reason, bare};

const THROWN: &str = "terminate called after throwing an instance of '";
const WHAT: &str = "  what():  ";
const WITHOUT: [&str; 2] = ["terminate called without an active exception", "terminate called recursively"];
/// How libc++ may begin its sentence.
const LIBCXX: [&str; 2] = ["libc++abi: ", "libc++abi.dylib: "];
/// libc++, and its older form.
const OF_TYPE: [&str; 2] = ["due to uncaught exception of type ", "with uncaught exception of type "];

pub(super) fn at(_: &[&str], line: &str, after: &[&str]) -> Option<Reason> {
    if let Some(kind) = line.strip_prefix(THROWN) {
        let what = after.first().and_then(|next| next.strip_prefix(WHAT));
        let lines = 1 + usize::from(what.is_some());
        let told = bare(Origin::Cpp, kind.trim_end().trim_end_matches('\''), what.unwrap_or_default());
        return Some(Reason { lines, ..told });
    }
    if let Some(told) = WITHOUT.iter().find(|told| line == **told) {
        return Some(bare(Origin::Cpp, "std::terminate", told));
    }
    let line = LIBCXX.iter().find_map(|by| line.strip_prefix(by)).unwrap_or(line);
    let told = line.strip_prefix("terminating ")?;
    let told = OF_TYPE.iter().find_map(|of| told.strip_prefix(of))?;
    let (kind, what) = told.split_once(": ").unwrap_or((told, ""));
    Some(bare(Origin::Cpp, kind, what))
}
