//! Nim's three manglings, made readable as `module.proc`. Only for programs that hold a Nim runtime: the names of others
//! can look the same.
//!
//! Nim 1.6 and 2.x write `<proc>__<module>_<number>` (2.x: `_u<number>`), where the module is a path of which only small
//! letters stand for themselves; 2.x with native debug information writes names as C++ does.

/// How the compiler writes the signs that C has no letters for; such a name ends with `_`.
const SIGNS: [(&str, char); 23] = [
    ("dollar", '$'),
    ("percent", '%'),
    ("amp", '&'),
    ("roof", '^'),
    ("emark", '!'),
    ("qmark", '?'),
    ("star", '*'),
    ("plus", '+'),
    ("minus", '-'),
    ("backslash", '\\'),
    ("slash", '/'),
    ("eq", '='),
    ("lt", '<'),
    ("gt", '>'),
    ("tilde", '~'),
    ("colon", ':'),
    ("dot", '.'),
    ("at", '@'),
    ("bar", '|'),
    ("quote", '\''),
    ("comma", ','),
    ("lbracket", '['),
    ("rbracket", ']'),
];
const NAME_BYTES_MAX: usize = 1024;

/// Whether a symbol of this name means that its module holds a Nim runtime.
pub(super) fn is_runtime_symbol(name: &str) -> bool {
    name.ends_with("NimMain") || name.ends_with("NimMainInner")
}

/// The readable name, where this is one of Nim's.
pub(super) fn demangle(name: &str) -> Option<String> {
    let bare = name.split_once('.').map_or(name, |(bare, _)| bare);
    if bare.len() > NAME_BYTES_MAX || !bare.is_ascii() {
        return None;
    }
    as_cpp(bare).or_else(|| with_module(bare))
}

/// `_ZN12rate_limiter8deepProcE3int`: the lengths say where the parts end.
fn as_cpp(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("_ZN")?;
    let mut parts = Vec::new();
    while !rest.starts_with('E') {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let length: usize = rest.get(..digits)?.parse().ok()?;
        let part = rest.get(digits..digits.checked_add(length)?)?;
        parts.push(part);
        rest = rest.get(digits + length..)?;
    }
    let (last, modules) = parts.split_last()?;
    // One name alone is no proc of a module.
    let module = modules.last()?;
    Some(format!("{module}.{}", signs(last)))
}

/// `deepProc__OOZOOZlogos95deliveryZrate95limiter_u1`.
fn with_module(name: &str) -> Option<String> {
    let at = name.rfind("__").filter(|at| *at > 0)?;
    let (module, number) = name.get(at + 2..)?.split_once('_')?;
    let newer = number.strip_prefix('u');
    let digits = newer.unwrap_or(number);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let path = path(module, newer.is_some()).filter(|_| is_number)?;
    let module = path.rsplit('/').next().filter(|module| !module.is_empty())?;
    let folder = if path.starts_with("system/") || path == "system" {
        return Some(format!("system.{}", signs(name.get(..at)?)));
    } else if path.starts_with("pure/") || path.starts_with("std/") {
        "std/"
    } else {
        ""
    };
    Some(format!("{folder}{module}.{}", signs(name.get(..at)?)))
}

/// The path of a module: `Z` is a slash, `O` a dot, two digits any other letter's number; but Nim 2 lets digits stand for
/// themselves.
fn path(mangled: &str, digits_stand: bool) -> Option<String> {
    let mut path = String::with_capacity(mangled.len());
    let mut letters = mangled.chars();
    while let Some(letter) = letters.next() {
        path.push(match letter {
            'a'..='z' => letter,
            'Z' => '/',
            'O' => '.',
            '0'..='9' => {
                let second = letters.clone().next().and_then(|letter| letter.to_digit(10));
                let code = second.and_then(|second| char::from_u32(letter.to_digit(10)? * 10 + second));
                let is_written = |letter: &char| {
                    letter.is_ascii_graphic()
                        && !(digits_stand && letter.is_ascii_alphanumeric() && !letter.is_ascii_uppercase())
                };
                match code.filter(is_written) {
                    Some(written) => {
                        letters.next();
                        written
                    }
                    None if digits_stand => letter,
                    None => return None,
                }
            }
            _ => return None,
        });
    }
    Some(path).filter(|path| !path.is_empty())
}

/// `pluseq_` is `+=`, `eqdestroy_` is `=destroy`, `nameeq_` is `name=`, `loopX20X28AsyncX29` is `loop (Async)`.
fn signs(name: &str) -> String {
    let name = hexadecimal(name);
    let Some(mut rest) = name.strip_suffix('_').filter(|rest| !rest.is_empty()) else { return name };
    let mut readable = String::new();
    while let Some((word, sign)) = SIGNS.iter().find(|(word, _)| rest.starts_with(word)) {
        readable.push(*sign);
        rest = rest.get(word.len()..).unwrap_or_default();
    }
    if readable.is_empty()
        && let Some(setter) = rest.strip_suffix("eq")
    {
        return format!("{setter}=");
    }
    if readable.is_empty() { name } else { readable + rest }
}

/// Letters that are written by their number: `X20` is a space.
fn hexadecimal(name: &str) -> String {
    let mut readable = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('X') {
        readable.push_str(before);
        let is_upper = |code: &&str| code.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        let code = after.get(..2).filter(is_upper).and_then(|code| u32::from_str_radix(code, 16).ok());
        match code.and_then(char::from_u32).filter(|letter| (' '..='~').contains(letter)) {
            Some(letter) => {
                readable.push(letter);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                readable.push('X');
                rest = after;
            }
        }
    }
    readable + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_manglings() {
        let cases = [
            ("deepProc__OOZOOZlogos95deliveryZwakuZcommonZrate95limiter_1", "rate_limiter.deepProc"),
            ("deepProc__OOZOOZlogos95deliveryZwakuZcommonZrate95limiter_u1", "rate_limiter.deepProc"),
            ("_ZN12rate_limiter8deepProcE3int", "rate_limiter.deepProc"),
            ("popOldest__store_26", "store.popOldest"),
            ("deepProc__mainp_4.constprop.0", "mainp.deepProc"),
            ("pluseq___store_50", "store.+="),
            ("dollar___systemZdollars_3", "system.$"),
            ("eqdestroy___systemZassertions_23", "system.=destroy"),
            ("nameeq___store_50", "store.name="),
            ("colonanonymous___mainp_12.part.0", "mainp.:anonymous"),
            ("popFirst__pureZcollectionsZdeques_u98", "std/deques.popFirst"),
            ("addInt__stdZprivateZdigitsutils_164", "std/digitsutils.addInt"),
            ("loopX20X28AsyncX29__node_u7", "node.loop (Async)"),
            ("keep_name__module_u1", "module.keep_name"),
            ("verify__secp256k1_u1", "secp256k1.verify"),
            ("verify__secp505354k49_1", "secp256k1.verify"),
            ("main__mynode2_u334", "mynode2.main"),
            ("lookUp__OOZdiscv5Zrouting95table_u7", "routing_table.lookUp"),
        ];
        for (mangled, readable) in cases {
            assert_eq!(demangle(mangled).as_deref(), Some(readable), "{mangled}");
        }
    }

    #[test]
    fn other_names_stay() {
        let others = [
            "main",
            "NimMain",
            "rawNewString",
            "__libc_start_main",
            "foo__Bar_1",
            "a__b_c",
            "__x_1",
            "f__1_1",
            "_ZN3fooE",
            "_ZN9999999999999999999fooE",
            "x__zé_1",
            "_ZN3fo",
            "a__b_u",
            "",
        ];
        for name in others {
            assert_eq!(demangle(name), None, "{name}");
        }
    }
}
