//! Figures of one kind, and what was measured.

use std::collections::BTreeMap;

/// Samples of one measure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn least(&self) -> f64 {
        self.quantile(0.0)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn most(&self) -> f64 {
        self.quantile(1.0)
    }

    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
    }
}

/// What is measured, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    Start,
    DeathOfOne,
    DeathOfMany,
    DiskOfOne,
    DiskOfMany,
    BytesOfOne,
    BytesOfMany,
    HelpersResident,
    HelpersProportional,
    HostProportional,
    Program,
    Beside,
    Crates,
}

impl Measure {
    pub(crate) const ALL: &[Self] = &[
        Self::Start,
        Self::DeathOfOne,
        Self::DeathOfMany,
        Self::DiskOfOne,
        Self::DiskOfMany,
        Self::BytesOfOne,
        Self::BytesOfMany,
        Self::HelpersResident,
        Self::HelpersProportional,
        Self::HostProportional,
        Self::Program,
        Self::Beside,
        Self::Crates,
    ];

    /// The heading of its rows, its own label and its unit.
    pub(crate) const fn label(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Start => ("start", "of the reporter", "ms"),
            Self::DeathOfOne => ("fault to death", "1 thread", "ms"),
            Self::DeathOfMany => ("fault to death", "65 threads", "ms"),
            Self::DiskOfOne => ("fault to report on disk", "1 thread", "ms"),
            Self::DiskOfMany => ("fault to report on disk", "65 threads", "ms"),
            Self::BytesOfOne => ("report", "1 thread", "KiB"),
            Self::BytesOfMany => ("report", "65 threads", "KiB"),
            Self::HelpersResident => ("memory at rest", "helpers, RSS", "MiB"),
            Self::HelpersProportional => ("memory at rest", "helpers, PSS", "MiB"),
            Self::HostProportional => ("memory at rest", "host, PSS", "MiB"),
            Self::Program => ("on disk, stripped", "host program", "MiB"),
            Self::Beside => ("on disk, stripped", "files beside it", "MiB"),
            Self::Crates => ("crates in the node", "from a registry", ""),
        }
    }

    /// In JSON.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Start => "start_ms",
            Self::DeathOfOne => "death_1_thread_ms",
            Self::DeathOfMany => "death_65_threads_ms",
            Self::DiskOfOne => "report_on_disk_1_thread_ms",
            Self::DiskOfMany => "report_on_disk_65_threads_ms",
            Self::BytesOfOne => "report_1_thread_kib",
            Self::BytesOfMany => "report_65_threads_kib",
            Self::HelpersResident => "helpers_rss_mib",
            Self::HelpersProportional => "helpers_pss_mib",
            Self::HostProportional => "host_pss_mib",
            Self::Program => "host_program_mib",
            Self::Beside => "files_beside_mib",
            Self::Crates => "crates",
        }
    }
}

/// All figures of one peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    samples: BTreeMap<Measure, Sample>,
    /// Reports that did not come.
    pub(crate) lost: u32,
}

impl Figures {
    pub(crate) fn add(&mut self, measure: Measure, figure: f64) {
        self.samples.entry(measure).or_default().add(figure);
    }

    /// Nothing where the peer has no such thing.
    pub(crate) fn get(&self, measure: Measure) -> Option<&Sample> {
        self.samples.get(&measure)
    }
}
