//! The README promises nothing that is not run: each line of a `sh` block is a script of ours or stands in the
//! table of the test that runs it.

use crate::tree::{SourceFile, Violation};

/// The test that runs the README's commands; its table is called `README_COMMANDS`.
const RUNNER: &str = "tests/tests/readme.rs";

/// Every command of the README is a script that is there, or is run by [`RUNNER`].
pub(crate) fn commands_are_run(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for readme in files.iter().filter(|file| file.path == "README.md") {
        for (line, command) in commands(readme) {
            let program = command.split_whitespace().next().unwrap_or_default();
            if program.starts_with("scripts/") {
                if !files.iter().any(|file| file.path == program && file.executable) {
                    let what = format!("`{program}` is not there or may not be run");
                    violations.push(readme.violation(line, what, "add the script or mend the README"));
                }
            } else if !is_run(files, command) {
                let what = format!("no test runs `{command}`");
                violations.push(readme.violation(
                    line,
                    what,
                    "add it to README_COMMANDS in tests/tests/readme.rs",
                ));
            }
        }
    }
    violations
}

fn is_run(files: &[SourceFile], command: &str) -> bool {
    let literal = format!("\"{command}\"");
    let table = files.iter().filter(|file| file.path == RUNNER).filter_map(|file| {
        let (_, rest) = file.text.split_once("const README_COMMANDS")?;
        rest.split("];").next()
    });
    table.into_iter().any(|table| table.contains(&literal))
}

/// The commands of the `sh` blocks with their lines, without prompt and comment.
fn commands(file: &SourceFile) -> Vec<(usize, &str)> {
    let mut in_shell = false;
    let mut in_other = false;
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        let text = line.trim();
        if text.starts_with("```") {
            let opens = !in_shell && !in_other;
            in_shell = opens && ["```sh", "```bash", "```shell"].contains(&text);
            in_other = opens && !in_shell;
        } else if in_shell {
            let command = text.split(" #").next().unwrap_or_default().trim();
            let command = command.strip_prefix("$ ").unwrap_or(command);
            if !command.is_empty() && !command.starts_with('#') {
                found.push((number, command));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# A\n```sh\nscripts/demo   # see it\n# a comment\n$ make all\n```\n```c\nint a;\n```\n";

    fn objections(files: &[SourceFile]) -> Vec<usize> {
        commands_are_run(files).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn an_unknown_command_and_a_missing_script_are_seen() {
        let readme = SourceFile::new("README.md", TEXT);
        let script = SourceFile::new("scripts/demo", "");
        let locked = SourceFile { executable: false, ..script.clone() };
        let runs_it = SourceFile::new(RUNNER, "const README_COMMANDS: &[&str] = &[\"make all\"];");
        let names_it = SourceFile::new(RUNNER, "const README_COMMANDS: &[&str] = &[];\n// \"make all\"");
        assert_eq!(objections(std::slice::from_ref(&readme)), [3, 5]);
        assert_eq!(objections(&[readme.clone(), locked]), [3, 5]);
        assert_eq!(objections(&[readme.clone(), script.clone(), names_it]), [5]);
        assert_eq!(objections(&[readme, script, runs_it]), []);
    }
}
