//! Makes mangled names readable: C++ (Itanium), Rust (v0 and legacy), and Nim where the module holds its runtime.

use super::nim;
use super::text::cut;

/// Longer names are not worth the time.
const MANGLED_MAX: usize = 8 * 1024;
/// Longest readable name, characters. Templates know no end.
const READABLE_MAX: usize = 512;

/// The name that a programmer would recognise.
pub(super) fn demangle(name: &str, is_nim: bool) -> String {
    let readable = match name.len() {
        0..=MANGLED_MAX if is_nim && !has_rust_mark(name) => nim::demangle(name).or_else(|| cpp(name)),
        0..=MANGLED_MAX => rust(name).or_else(|| cpp(name)),
        _ => None,
    };
    cut(readable.unwrap_or_else(|| name.to_owned()), READABLE_MAX)
}

/// Whether only Rust writes such names: Nim's look like legacy ones that lack their hash.
fn has_rust_mark(name: &str) -> bool {
    let hash = name.split_once(".llvm.").map_or(name, |(bare, _)| bare).strip_suffix('E');
    name.starts_with("_R")
        || hash.is_some_and(|name| name.rfind("17h").is_some_and(|at| at + 19 == name.len()))
}

/// Without the hash at the end of a legacy name.
fn rust(name: &str) -> Option<String> {
    rustc_demangle::try_demangle(name).ok().map(|readable| format!("{readable:#}"))
}

fn cpp(name: &str) -> Option<String> {
    if !name.starts_with("_Z") && !name.starts_with("__Z") {
        return None;
    }
    // Compilers add `.part.0`, `.constprop.1`, `.cold`: they are of the same function.
    let bare = name.split_once('.').map_or(name, |(bare, _)| bare);
    let readable = cpp_demangle::Symbol::new(bare).ok()?.demangle().ok()?;
    // As programmers write it, whatever libstdc++ calls it inside.
    Some(STRINGS.iter().fold(readable, |name, (inner, written)| name.replace(inner, written)))
}

/// Longest first: one is part of another.
const STRINGS: [(&str, &str); 3] = [
    ("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"),
    ("std::basic_string_view<char, std::char_traits<char> >", "std::string_view"),
    ("std::__cxx11::", "std::"),
];

/// How `lifeboat_terminate.hpp` writes a type: the symbol of its name, as the Itanium C++ ABI calls it.
const TYPE_MARK: &str = "_ZTS";
/// What std::throw_with_nested puts around a type.
const NESTED: &str = "std::_Nested_exception<";

/// A text with the C++ types in it made readable.
pub(super) fn demangle_types(text: &str) -> String {
    let mut readable = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.find(TYPE_MARK).and_then(|at| rest.split_at_checked(at)) {
        let end = from.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let (name, after) = from.split_at_checked(end.unwrap_or(from.len())).unwrap_or((from, ""));
        readable.push_str(before);
        readable.push_str(&type_name(name));
        rest = after;
    }
    readable + rest
}

/// `std::logic_error` for `_ZTSSt11logic_error`; a name that is none stays as the node wrote it.
fn type_name(symbol: &str) -> String {
    let bare = symbol.strip_prefix(TYPE_MARK).unwrap_or(symbol);
    let readable = cpp(symbol).and_then(|name| name.strip_prefix("typeinfo name for ").map(str::to_owned));
    let readable = readable.unwrap_or_else(|| bare.to_owned());
    let inner = readable.strip_prefix(NESTED).and_then(|inner| inner.strip_suffix('>'));
    cut(inner.map_or(readable.as_str(), str::trim_end).to_owned(), READABLE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_readable() {
        let cases = [
            ("main", "main"),
            ("_ZN4node5Store4openEPKc", "node::Store::open(char const*)"),
            ("_ZN4node5Store4openEPKc.constprop.0", "node::Store::open(char const*)"),
            (
                "_ZN5store4openERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
                "store::open(std::string const&)",
            ),
            ("_ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_Znonsense", "_Znonsense"),
            ("checkpoint__store_u123", "checkpoint__store_u123"),
        ];
        for (mangled, readable) in cases {
            assert_eq!(demangle(mangled, false), readable);
        }
        assert_eq!(demangle("checkpoint__store_u123", true), "store.checkpoint");
        assert_eq!(demangle("_ZN5store10checkpointE3int", true), "store.checkpoint");
        assert_eq!(demangle("_ZN5store10checkpointE", true), "store.checkpoint");
        assert_eq!(demangle("_ZN4core9panicking5panic17h0123456789abcdefE", true), "core::panicking::panic");
    }

    #[test]
    fn types_become_readable_within_a_text() {
        let cases = [
            ("_ZTSSt13runtime_error", "std::runtime_error"),
            ("_ZTSSt17_Nested_exceptionISt11logic_errorE", "std::logic_error"),
            ("_ZTSN4node8bad_peerE", "node::bad_peer"),
            ("_ZTSi", "int"),
            ("a; caused by _ZTSSt9exception: b", "a; caused by std::exception: b"),
            ("_ZTS", ""),
            ("_ZTSnonsense €", "nonsense €"),
            ("no type", "no type"),
        ];
        for (text, readable) in cases {
            assert_eq!(demangle_types(text), readable);
        }
    }

    #[test]
    fn a_name_has_an_end() {
        assert_eq!(demangle(&"x".repeat(9000), true).chars().count(), READABLE_MAX);
    }
}
