//! What each bench is told, and the file that keeps their figures: a section for each.

use std::path::Path;

/// What follows this option.
#[must_use]
pub fn argument(option: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != option).nth(1)
}

/// Whether this command can be run here.
#[must_use]
pub fn tool_is_here(command: &str) -> bool {
    let run =
        std::process::Command::new(command).arg("--version").stdout(std::process::Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// The machine, in a few words.
#[must_use]
pub fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{processors} × {model}, Linux {}", kernel.trim())
}

/// Puts a section, which begins with its heading, in the place of the one with the same heading, or at the end.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_section(file: &Path, section: &str) -> std::io::Result<()> {
    let before = std::fs::read_to_string(file).unwrap_or_default();
    std::fs::write(file, with_section(&before, section))
}

fn with_section(before: &str, section: &str) -> String {
    let heading = section.lines().next().unwrap_or_default();
    let mut sections: Vec<String> = Vec::new();
    for line in before.lines() {
        match sections.last_mut() {
            Some(last) if !line.starts_with("## ") => *last += &format!("{line}\n"),
            _ => sections.push(format!("{line}\n")),
        }
    }
    let section = format!("{}\n", section.trim_end());
    match sections.iter_mut().find(|known| known.lines().next() == Some(heading)) {
        Some(known) => *known = section,
        None => sections.push(section),
    }
    sections.iter().map(|section| section.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_own_heading_alone() {
        let file = with_section("", "# A\n\none\n");
        let file = with_section(&file, "## B\n\ntwo\n");
        assert_eq!(file, "# A\n\none\n\n## B\n\ntwo\n");
        let file = with_section(&file, "# A\n\nthree\n\nfour\n");
        assert_eq!(file, "# A\n\nthree\n\nfour\n\n## B\n\ntwo\n");
        assert_eq!(with_section(&file, "## B\nfive"), "# A\n\nthree\n\nfour\n\n## B\nfive\n");
    }
}
