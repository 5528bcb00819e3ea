//! What is wrong with an inventory, as a page: all of it, with places and remedies.

use lifeboat_fleet::{Problem, Problems};
use serde_json::{Value, json};

use crate::output::{Failure, print, width};
use crate::show::page::{BOLD, Page, RED};

/// The failure, after the page was written to standard error.
pub(super) fn told(problems: &Problems) -> Failure {
    anstream::eprint!("{}", page(problems));
    failure(problems)
}

/// The failure, after what is wrong was written to standard output for a program.
pub(super) fn told_as_json(problems: &Problems) -> Result<Failure, Failure> {
    print(&line(&json!({"result": "wrong", "problems": json(&problems.0)})))?;
    Ok(failure(problems))
}

/// JSON in one line, without what would steer a terminal.
pub(super) fn line(value: &Value) -> String {
    format!("{}\n", crate::clean::json(&value.to_string()))
}

/// How many there are.
pub(super) fn failure(problems: &Problems) -> Failure {
    match problems.0.as_slice() {
        [_] => Failure::no("one mistake"),
        many => Failure::no(format!("{} mistakes", many.len())),
    }
}

fn page(problems: &Problems) -> String {
    let mut page = Page::new(width());
    for problem in &problems.0 {
        page.wrapped_after(&[(RED, &format!("{} ", place(problem)))], BOLD, &problem.what);
        if !problem.remedy.is_empty() {
            page.wrapped_whole(BOLD, "    ", &problem.remedy);
        }
    }
    page.into_text()
}

/// `fleet.toml:3:1`, as editors take it.
fn place(problem: &Problem) -> String {
    match problem.place {
        Some((line, column)) => format!("{}:{line}:{column}:", problem.file),
        None => format!("{}:", problem.file),
    }
}

/// The same for programs.
pub(super) fn json(problems: &[Problem]) -> Value {
    let objects = problems.iter().map(|problem| {
        let (line, column) = problem.place.unzip();
        let Problem { file, what, remedy, .. } = problem;
        json!({"file": file, "line": line, "column": column, "what": what, "remedy": remedy})
    });
    objects.collect()
}
