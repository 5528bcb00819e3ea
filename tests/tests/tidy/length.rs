//! How long files and functions are, in Rust and in C. A small lexer takes comments and literals out; what is
//! left is measured by its braces.

use crate::tree::{SourceFile, Violation};

/// Lines of one file, at most.
const FILE_LINES_MAX: usize = 800;
/// Lines of one function from its name to its closing brace, at most.
const FUNCTION_LINES_MAX: usize = 70;

/// Files that a program writes.
const GENERATED: &[&str] = &["include/lifeboat_abi.h"];

/// No file is longer than [`FILE_LINES_MAX`].
pub(crate) fn files_are_short(files: &[SourceFile]) -> Vec<Violation> {
    let measured = files.iter().filter(|file| is_measured(file));
    let long = measured.filter(|file| file.text.lines().count() > FILE_LINES_MAX);
    long.map(|file| {
        let what = format!("{} lines, {FILE_LINES_MAX} are allowed", file.text.lines().count());
        file.violation(FILE_LINES_MAX, what, "split the file along its ideas")
    })
    .collect()
}

/// No function is longer than [`FUNCTION_LINES_MAX`].
pub(crate) fn functions_are_short(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| is_measured(file)) {
        let functions = if file.is_rust() { rust_functions(&file.text) } else { c_functions(&file.text) };
        for function in functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let Function { name, line, lines } = function;
            let what = format!("`{name}` has {lines} lines, {FUNCTION_LINES_MAX} are allowed");
            violations.push(file.violation(*line, what, "give its parts names"));
        }
    }
    violations
}

fn is_measured(file: &SourceFile) -> bool {
    (file.is_rust() || file.is_c()) && !GENERATED.contains(&file.path.as_str())
}

#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

fn rust_functions(text: &str) -> Vec<Function> {
    let code = without_literals(text);
    let starts = code.match_indices("fn ").filter(|(at, _)| !code[..*at].ends_with(is_word));
    starts.filter_map(|(at, _)| rust_function(&code, at)).collect()
}

fn rust_function(code: &str, start: usize) -> Option<Function> {
    let name: String = code[start + 3..].chars().take_while(|c| is_word(*c)).collect();
    let mut depth = 0_i32;
    for (offset, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(function(code, name, start, start + offset)),
            // A function without a body: in a trait, in an `extern` block.
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// In C a body is a `{` after the `)` of a parameter list; inside one, nothing else is a function.
fn c_functions(text: &str) -> Vec<Function> {
    let code = without_preprocessor(&without_literals(text));
    let mut found = Vec::new();
    let mut searched_to = 0;
    while let Some(open) = code[searched_to..].find('{').map(|offset| searched_to + offset) {
        searched_to = open + 1;
        if let Some((name, start)) = c_signature(&code[..open]) {
            found.push(function(&code, name, start, open));
            searched_to = block_end(&code, open);
        }
    }
    found
}

/// The name and the place of the function whose signature ends `before`, if it is one.
fn c_signature(before: &str) -> Option<(String, usize)> {
    let mut head = before.trim_end();
    for specifier in ["noexcept", "override", "final", "const"] {
        head = head.strip_suffix(specifier).unwrap_or(head).trim_end();
    }
    let mut depth = 0_i32;
    let open = head.char_indices().rev().find(|(_, c)| {
        depth += i32::from(*c == ')') - i32::from(*c == '(');
        depth <= 0
    });
    let (open, _) = open.filter(|(_, c)| *c == '(' && head.ends_with(')'))?;
    let signature = head[..open].trim_end();
    let start = signature.rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
    let name = signature[start..].to_owned();
    (!name.is_empty()).then_some((name, start))
}

fn function(code: &str, name: String, start: usize, open: usize) -> Function {
    let line = code[..start].matches('\n').count() + 1;
    let lines = code[start..block_end(code, open)].matches('\n').count() + 1;
    Function { name, line, lines }
}

/// Just behind the brace that closes the one at `open`.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    let close = code[open..].char_indices().find(|(_, c)| {
        depth += i32::from(*c == '{') - i32::from(*c == '}');
        depth == 0
    });
    close.map_or(code.len(), |(offset, _)| open + offset + 1)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn without_preprocessor(code: &str) -> String {
    let mut continued = false;
    let keep = |line: &str| {
        let directive = continued || line.trim_start().starts_with('#');
        continued = directive && line.ends_with('\\');
        if directive { String::new() } else { line.to_owned() }
    };
    code.split('\n').map(keep).collect::<Vec<_>>().join("\n")
}

/// The code with every comment and the inside of every literal blanked. Lines stay where they are.
pub(crate) fn without_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kept_before = code.chars().next_back();
        let token = literal_length(rest, kept_before).unwrap_or(0);
        let (token, kept) = if token == 0 { (first.len_utf8(), true) } else { (token, false) };
        let (head, tail) = rest.split_at(token);
        if kept {
            code.push_str(head);
        } else {
            blank_into(&mut code, head);
        }
        rest = tail;
    }
    code
}

/// The quotes of a text stay, so that `feature = "…"` is still seen.
fn blank_into(code: &mut String, literal: &str) {
    let is_text = literal.starts_with('"') || literal.starts_with('r');
    code.push_str(if is_text { "\"" } else { " " });
    code.extend(literal.chars().filter(|c| *c == '\n'));
    code.push_str(if is_text { "\"" } else { " " });
}

/// How long the comment or literal at the start of `rest` is; none where code begins.
fn literal_length(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted_length(rest, '"'));
    }
    if rest.starts_with('r') && !before.is_some_and(|c| is_word(c) && c != 'b' && c != 'c') {
        return raw_length(rest);
    }
    if rest.starts_with('\'') && !before.is_some_and(char::is_numeric) {
        return character_length(rest);
    }
    None
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_i32;
    let mut at = 0;
    while at < rest.len() {
        let here = rest.as_bytes().get(at..).unwrap_or_default();
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let close = rest.char_indices().skip(1).find(|(_, c)| {
        let closes = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    close.map_or(rest.len(), |(at, _)| at + 1)
}

/// `r"…"` and `r#"…"#`; none for a word that begins with r.
fn raw_length(rest: &str) -> Option<usize> {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    let open = 1 + hashes;
    if !rest[open..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let end = rest[open + 1..].find(&close).map(|at| open + 1 + at + close.len());
    Some(end.unwrap_or(rest.len()))
}

/// `'a'` and `'\n'`; none for a lifetime.
fn character_length(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    let (_, first) = characters.next()?;
    let (second_at, second) = characters.next()?;
    match (first, second) {
        ('\\', _) => Some(quoted_length(rest, '\'')),
        (_, '\'') => Some(second_at + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::lines_of;

    #[test]
    fn a_long_file_is_seen() {
        assert_eq!(lines_of(files_are_short, "a.rs", &"a\n".repeat(FILE_LINES_MAX)), []);
        assert_eq!(lines_of(files_are_short, "a.rs", &"a\n".repeat(FILE_LINES_MAX + 1)), [FILE_LINES_MAX]);
        assert_eq!(lines_of(files_are_short, "a.md", &"a\n".repeat(FILE_LINES_MAX + 1)), []);
    }

    #[test]
    fn a_long_function_is_seen_in_rust_and_c() {
        let body = |lines: usize| "    a();\n".repeat(lines);
        for (path, head) in
            [("a.rs", "fn long(a: [u8; 4]) -> u8 {\n"), ("a.h", "static int long_one(int a) {\n")]
        {
            let good = format!("\n{head}{}}}\n", body(FUNCTION_LINES_MAX - 2));
            let bad = format!("\n{head}{}}}\n", body(FUNCTION_LINES_MAX - 1));
            assert_eq!(lines_of(functions_are_short, path, &good), [], "{path}");
            assert_eq!(lines_of(functions_are_short, path, &bad), [2], "{path}");
        }
    }

    fn names(functions: &[Function]) -> Vec<(&str, usize, usize)> {
        functions.iter().map(|function| (function.name.as_str(), function.line, function.lines)).collect()
    }

    #[test]
    fn braces_in_literals_and_comments_do_not_count() {
        let text = "fn a<'x>(c: &'x str) {\n // {\n /* { /* { */ */ \"\\\"{\"; r#\"{\"\"#; b'{'; '\\'';\n}\nfn b();\nfn c() {}\n";
        assert_eq!(names(&rust_functions(text)), [("a", 1, 4), ("c", 6, 1)]);
    }

    #[test]
    fn a_function_pointer_is_no_function() {
        assert_eq!(names(&rust_functions("type A = fn (u8);\nstruct B { c: fn(u8) }\n")), []);
    }

    #[test]
    fn c_functions_are_found_below_extern_and_macros() {
        let text = "#define A(x) do { \\\n  x; } while (0\nextern \"C\" {\nstruct s { int a; };\nint f(int (*g)(void))\n{\n  if (g) { g(); }\n}\n}\n";
        assert_eq!(names(&c_functions(text)), [("f", 5, 4)]);
        let method = "struct s {\n  int a() const noexcept { return 1; }\n};\nint x = sizeof(int);\n";
        assert_eq!(names(&c_functions(method)), [("a", 2, 1)]);
    }
}
