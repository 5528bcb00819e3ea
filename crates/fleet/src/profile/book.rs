//! All profiles that are known: ours, and those that a user wrote.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};

use super::check::check;
use super::{Endpoint, Profile, Signal};
use crate::problem::{Problems, Source, nearest};

static OURS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/profiles");

/// Profiles by name.
#[derive(Clone, Debug, Default)]
pub struct Book {
    profiles: BTreeMap<String, Profile>,
}

impl Book {
    /// The profiles that come with the program.
    ///
    /// # Errors
    /// Where one of them cannot be read: a fault of the program.
    pub fn ours() -> Result<Self, Problems> {
        static READ: OnceLock<Result<Book, Problems>> = OnceLock::new();
        READ.get_or_init(Self::read_ours).clone()
    }

    fn read_ours() -> Result<Self, Problems> {
        let mut book = Self::default();
        let mut problems = Problems::default();
        for file in OURS.files() {
            let name = file.path().display().to_string();
            match book.add(&name, file.contents_utf8().unwrap_or_default()) {
                Ok(_) => {}
                Err(wrong) => problems.0.extend(wrong.0),
            }
        }
        if problems.0.is_empty() { Ok(book) } else { Err(problems) }
    }

    /// Adds a profile, in place of one of that name, and says its name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn add(&mut self, file: &str, text: &str) -> Result<String, Problems> {
        let source = Source { name: file, text };
        let profile: Profile = toml::from_str(text).map_err(|error| source.toml_problem(&error))?;
        let problems = check(source, &profile);
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let name = profile.name.clone();
        self.profiles.insert(name.clone(), profile);
        Ok(name)
    }

    /// All of them, by name.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// The names of those that a fleet may have.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let of_nodes = self.profiles().filter(|profile| !profile.is_of_engines);
        of_nodes.map(|profile| profile.name.as_str()).collect()
    }

    /// A profile by its name.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// How the engines speak that alerts pass through.
    ///
    /// # Errors
    /// Where no profile says it: a fault of the program.
    pub fn speech_of_engines(&self) -> Result<Speech, String> {
        let names: Vec<String> = self
            .profiles()
            .filter(|profile| profile.is_of_engines)
            .map(|profile| profile.name.clone())
            .collect();
        self.speech(&names).map_err(|(name, _)| format!("no profile {name}"))
    }

    /// What these profiles say together with all that they include. The first that has a name wins.
    ///
    /// # Errors
    /// The name that no profile has, and the nearest that one has.
    pub fn speech(&self, names: &[String]) -> Result<Speech, (String, Option<String>)> {
        let mut speech = Speech::default();
        let mut waiting: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        let mut seen = Vec::new();
        while let Some(name) = waiting.pop() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            let Some(profile) = self.profiles.get(name) else {
                let near = nearest(name, self.names());
                return Err((name.to_owned(), near.map(str::to_owned)));
            };
            for (name, endpoint) in &profile.endpoints {
                speech.endpoints.entry(name.clone()).or_insert_with(|| endpoint.clone());
            }
            for (name, signal) in &profile.signals {
                speech.signals.entry(name.clone()).or_insert_with(|| signal.clone());
            }
            waiting.extend(profile.includes.iter().rev().map(String::as_str));
        }
        Ok(speech)
    }
}

/// How the nodes of one fleet speak.
#[derive(Clone, Debug, Default)]
pub struct Speech {
    /// What is asked of each node.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What is known of each node.
    pub signals: BTreeMap<String, Signal>,
}
