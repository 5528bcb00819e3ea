//! A fleet that is not there: `lifeboat fleet simulate`, and what it is told.

use std::path::Path;

use serde_json::Value;

use crate::http::{get, post};
use crate::{Run, Running, delivered};

/// A simulated fleet at work.
#[derive(Debug)]
pub struct Simulator {
    _running: Running,
    /// Where it takes commands.
    pub control: String,
}

impl Simulator {
    /// Starts one that takes commands at this address; it stands for the blackbox exporter as well.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(inventory: &Path, control: &str, more: &[&str]) -> Self {
        let run = Run::new(delivered("bin/lifeboat")).args(["fleet", "simulate"]).arg(inventory);
        let mut running = run.args(["--blackbox", "--control", control]).args(more).spawn();
        let line = running.wait_for_line("simulating ", "");
        let control = line.rsplit(' ').next().unwrap_or_default().to_owned();
        Self { _running: running, control }
    }

    /// Tells it something, a line each, and answers what came of it.
    ///
    /// # Panics
    /// When it refuses.
    pub fn tell(&self, lines: &str) -> String {
        let answer = post(&self.control, "/", "text/plain", lines);
        assert_eq!(answer.status, 200, "{lines}: {}", answer.text());
        answer.text()
    }

    /// What each node shows and has counted.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn account(&self) -> Vec<Value> {
        let text = get(&self.control, "/", &[]).text();
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        text.lines().map(parse).collect()
    }
}
