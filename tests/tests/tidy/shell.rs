//! What holds for our shell scripts.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::tree::{SourceFile, Violation};

/// Every script starts as bash, says what it is, stops at the first error, may be run, and parses.
pub(crate) fn scripts_are_sound(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| is_script(file)) {
        let mut lines = file.text.lines();
        if lines.next() != Some("#!/usr/bin/env bash") {
            violations.push(file.violation(1, "another first line", "start with `#!/usr/bin/env bash`"));
        }
        if !lines.next().unwrap_or_default().starts_with("# ") {
            violations.push(file.violation(2, "no word on what it is", "say it in a comment on line 2"));
        }
        if !file.text.lines().any(|line| line == "set -euo pipefail") {
            violations.push(file.violation(1, "errors pass unseen", "add `set -euo pipefail`"));
        }
        if !file.executable {
            violations.push(file.violation(1, "may not be run", "chmod +x"));
        }
        if let Some(complaint) = bash_complaint(&file.text) {
            violations.push(file.violation(1, complaint, "mend what `bash -n` says"));
        }
    }
    violations
}

fn is_script(file: &SourceFile) -> bool {
    let in_folder = file.path.starts_with("scripts/") || file.path.starts_with(".ci/");
    (in_folder && !file.name().contains('.')) || file.path.ends_with(".sh")
}

/// What `bash -n` says of the script, if it does not parse.
fn bash_complaint(script: &str) -> Option<String> {
    let bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut bash = match bash {
        Ok(bash) => bash,
        Err(error) => return Some(format!("bash could not be run: {error}")),
    };
    if let Some(mut input) = bash.stdin.take() {
        // Bash may stop reading at the first error: what it says counts, not this pipe.
        drop(input.write_all(script.as_bytes()));
    }
    match bash.wait_with_output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::lines_of;

    const SOUND: &str = "#!/usr/bin/env bash\n# Does a thing.\nset -euo pipefail\ntrue\n";

    #[test]
    fn each_flaw_of_a_script_is_seen() {
        let rule = |text: &str| lines_of(scripts_are_sound, "scripts/thing", text);
        assert_eq!(rule(SOUND), []);
        assert_eq!(rule(&SOUND.replace("env bash", "env sh")), [1]);
        assert_eq!(rule(&SOUND.replace("# Does a thing.\n", "")), [2]);
        assert_eq!(rule(&SOUND.replace("-euo", "-eu")), [1]);
        assert_eq!(rule(&SOUND.replace("true", "if true; then")), [1]);
        let locked = SourceFile { executable: false, ..SourceFile::new("scripts/thing", SOUND) };
        assert_eq!(scripts_are_sound(&[locked]).len(), 1);
    }

    #[test]
    fn only_scripts_are_read() {
        assert_eq!(lines_of(scripts_are_sound, "scripts/list.txt", "a\n"), []);
        assert_eq!(lines_of(scripts_are_sound, "docs/a.sh", "a\n").len(), 3);
    }
}
