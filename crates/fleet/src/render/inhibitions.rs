//! What silences what: one cause, one page.

use std::collections::BTreeSet;

use serde::Serialize;

use super::matcher;
use crate::catalogue::Catalogue;

#[derive(Serialize)]
pub(super) struct Rule {
    source_matchers: Vec<String>,
    target_matchers: Vec<String>,
    equal: Vec<&'static str>,
}

/// Alerts that go with a cause: while it fires for the same fleet, or the same node, nobody hears of them.
struct Silence {
    causes: &'static [&'static str],
    silenced: &'static [&'static str],
    equal: &'static [&'static str],
}

const FLEET: &[&str] = &["fleet"];
const NODE: &[&str] = &["fleet", "dc", "node"];
const DISK: &[&str] = &["fleet", "dc", "node", "mountpoint"];
/// What PostgreSQL's exporter calls `datname` is `database` in alerts, too.
const DATABASE: &[&str] = &["fleet", "dc", "node", "database"];

const SILENCES: [Silence; 17] = [
    Silence {
        causes: &["CpuStealCritical"],
        silenced: &["CpuStealHigh", "CpuSaturated", "EventLoopLagging"],
        equal: NODE,
    },
    Silence { causes: &["CertificateExpired"], silenced: &["CertificateExpiresSoon"], equal: NODE },
    Silence { causes: &["DiskNearlyFull"], silenced: &["DiskFillsUp"], equal: DISK },
    Silence { causes: &["MemoryNearLimit"], silenced: &["MemoryLeak", "SwapPressure"], equal: NODE },
    Silence { causes: &["FdsNearLimit"], silenced: &["FdLeak"], equal: NODE },
    Silence { causes: &["DatabaseTooLarge"], silenced: &["DatabaseGrowsFast"], equal: DATABASE },
    Silence { causes: &["DatabaseCorrupt"], silenced: &["DatabaseCheckStale"], equal: DATABASE },
    Silence { causes: &["DatabaseCorrupt"], silenced: &["DatabaseErrors"], equal: NODE },
    Silence {
        causes: &["DatabaseDown"],
        silenced: &[
            "DatabaseErrors",
            "DatabaseQueriesSlow",
            "DatabaseInsertsSlow",
            "ComponentFailing",
            "NodeNotHealthy",
        ],
        equal: NODE,
    },
    Silence { causes: &["NodeRestartLoop"], silenced: &["NodeDied"], equal: NODE },
    // A node that died is mostly back in seconds, while its alert stays for a quarter of an hour: what ails it then is news.
    Silence { causes: &["NodeDied"], silenced: &["HealthScoreLow"], equal: NODE },
    Silence {
        causes: &["NodeRestartLoop", "NodeHung"],
        silenced: &[
            "ModuleDied",
            "PeersBelowMinimum",
            "MeshTooSmall",
            "EventLoopLagging",
            "ConnectionsUnstable",
            "DiscoveryPoor",
            "NodeNotReachable",
            "NodeNotHealthy",
            "DeliveryFailures",
            "MessagesRejected",
            "MessageRateCollapsed",
            "MessageLatencyHigh",
            "ComponentFailing",
            "CheckFailed",
            "HealthScoreLow",
            "TelemetrySilent",
        ],
        equal: NODE,
    },
    Silence {
        causes: &["PeersBelowMinimum"],
        silenced: &[
            "MeshTooSmall",
            "DiscoveryPoor",
            "ConnectionsUnstable",
            "DeliveryFailures",
            "MessageRateCollapsed",
            "NodeNotHealthy",
            "HealthScoreLow",
        ],
        equal: NODE,
    },
    Silence { causes: &["ComponentFailing"], silenced: &["HealthScoreLow"], equal: NODE },
    Silence { causes: &["NoLeader"], silenced: &["LeaderFlapping"], equal: FLEET },
    Silence { causes: &["NodeMissing"], silenced: &["NodeUnreachable"], equal: NODE },
    // A loop that stands still is why the node's page does not answer, and its report has the stack.
    Silence { causes: &["NodeHung"], silenced: &["NodeUnreachable"], equal: NODE },
];

/// Alerts that tell why a node is gone, or does not answer; nothing that it does meanwhile silences them.
const GONE: [&str; 5] = ["NodeDied", "NodeRestartLoop", "NodeHung", "NodeMissing", "NodeUnreachable"];

/// The rules for the alerts that there are.
pub(super) fn rules(catalogue: &Catalogue) -> Vec<Rule> {
    let known: BTreeSet<&str> = catalogue.alerts.iter().map(|alert| alert.name.as_str()).collect();
    let of = |names: &[&str]| -> Vec<String> {
        names.iter().filter(|name| known.contains(**name)).map(|name| (*name).to_owned()).collect()
    };
    // An alert of the highest severity is never silenced: it is a cause.
    let not_highest = || "severity=~\"P1|P2|P3\"".to_owned();
    let mut rules = Vec::new();
    if known.contains("FleetDown") {
        rules.push(Rule {
            source_matchers: vec![matcher::is("alertname", "FleetDown")],
            target_matchers: vec![not_highest()],
            equal: FLEET.to_vec(),
        });
    }
    let unseen = of(&["NodeMissing", "NodeUnreachable"]);
    if !unseen.is_empty() {
        let gone: Vec<String> = GONE.iter().map(|name| (*name).to_owned()).collect();
        rules.push(Rule {
            source_matchers: vec![matcher::among("alertname", &unseen)],
            target_matchers: vec![not_highest(), "node!=\"\"".into(), matcher::none_of("alertname", &gone)],
            equal: NODE.to_vec(),
        });
    }
    for silence in &SILENCES {
        let (causes, silenced) = (of(silence.causes), of(silence.silenced));
        if !causes.is_empty() && !silenced.is_empty() {
            rules.push(Rule {
                source_matchers: vec![matcher::among("alertname", &causes)],
                target_matchers: vec![matcher::among("alertname", &silenced)],
                equal: silence.equal.to_vec(),
            });
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::{GONE, SILENCES};
    use crate::catalogue::Catalogue;

    #[test]
    fn every_alert_that_is_named_is_there() {
        let catalogue = Catalogue::ours().unwrap();
        let is_known = |name: &str| catalogue.alerts.iter().any(|alert| alert.name == name);
        let named = SILENCES.iter().flat_map(|silence| silence.causes.iter().chain(silence.silenced));
        for name in named.chain(&GONE).chain(&["FleetDown"]) {
            assert!(is_known(name), "{name}");
        }
    }

    #[test]
    fn a_death_silences_no_cause() {
        let of_death = SILENCES.iter().filter(|silence| silence.causes.contains(&"NodeDied"));
        let silenced: Vec<&str> = of_death.flat_map(|silence| silence.silenced).copied().collect();
        assert_eq!(silenced, ["HealthScoreLow"]);
    }

    #[test]
    fn no_two_alerts_silence_each_other() {
        for one in &SILENCES {
            for other in &SILENCES {
                let back = |name: &&&str| other.causes.contains(*name);
                let forth = |name: &&&str| other.silenced.contains(*name);
                let loops =
                    one.silenced.iter().any(|name| back(&name)) && one.causes.iter().any(|name| forth(&name));
                assert!(!loops, "{:?} and {:?}", one.causes, other.causes);
            }
        }
    }
}
