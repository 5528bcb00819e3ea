//! Expressions and texts with `${…}` in them. Prometheus' own `{{ }}` and Grafana's `$name` pass through untouched.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// An engine for `${…}` in which an unknown name is an error; functions are added by who renders.
pub(crate) fn engine<'a>() -> Result<Environment<'a>, String> {
    let syntax = SyntaxConfig::builder()
        .variable_delimiters("${", "}")
        .block_delimiters("<%", "%>")
        .comment_delimiters("<#", "#>")
        .build()
        .map_err(|error| error.to_string())?;
    let mut environment = Environment::new();
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    Ok(environment)
}

/// The engine for texts that need no functions. It is made once: a rendering expands signals by the thousand.
pub(crate) fn plain() -> Result<&'static Environment<'static>, String> {
    static PLAIN: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(engine);
    PLAIN.as_ref().map_err(Clone::clone)
}

/// The text with its names replaced.
///
/// # Errors
/// What is wrong with the text, in one line.
pub(crate) fn expand(
    environment: &Environment<'_>,
    text: &str,
    values: impl Serialize,
) -> Result<String, String> {
    environment.render_str(text, values).map_err(|error| error.to_string())
}
