//! An Alertmanager, and the alerts that it has.

use std::path::Path;

use serde_json::Value;

use super::{Engine, Generation};
use crate::http::get;
use crate::wait_until;

/// An Alertmanager at work, without a cluster.
#[derive(Debug)]
pub struct Alertmanager {
    /// The program.
    pub engine: Engine,
}

impl Alertmanager {
    /// Starts one with this configuration; relative paths in it are meant from where it lies.
    ///
    /// # Panics
    /// When it does not start; what it said is shown.
    #[must_use]
    pub fn start(generation: Generation, config: &Path, address: &str) -> Self {
        let config = format!("--config.file={}", config.display());
        let listen = format!("--web.listen-address={address}");
        let arguments = [
            config.as_str(),
            listen.as_str(),
            "--storage.path={folder}/data",
            "--cluster.listen-address=",
            "--log.level=debug",
        ];
        let engine = Engine::start(generation, "alertmanager", address, &arguments);
        let alertmanager = Self { engine };
        let address = &alertmanager.engine.address;
        wait_until("Alertmanager is ready", || get(address, "/-/ready", &[]).status == 200);
        alertmanager
    }

    /// The alerts that it has now, as `/api/v2/alerts` has them.
    #[must_use]
    pub fn alerts(&self) -> Vec<Value> {
        let said = get(&self.engine.address, "/api/v2/alerts", &[]).json();
        said.as_array().cloned().unwrap_or_default()
    }
}
