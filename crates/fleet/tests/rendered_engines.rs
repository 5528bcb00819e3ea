//! What is rendered for those who run the engines: who gets which right, and what containers see.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_fleet::{Inventory, Options, Tree};

const FLEET: &str = r#"[[fleet]]
name = "logos.test"
profile = ["libp2p-generic", "lifeboat"]
[fleet.nodes]
"node-01" = "10.1.0.1"
"#;

fn rendered(lines: &str) -> Tree {
    let inventory = Inventory::read("fleet.toml", &format!("{FLEET}{lines}"))
        .map_err(|problems| problems.to_string())
        .unwrap();
    lifeboat_fleet::render(&inventory, Options { accelerate: 2 }).unwrap()
}

const SECRETS: &str = r#"
[[destination]]
type = "telegram"
bot_token_file = "/etc/token"
chat_id = 1
[[destination]]
type = "slack"
api_url_file = "/it's $HOME/slack"
[[destination]]
type = "pagerduty"
routing_key_env = "PAGER"
"#;

#[test]
fn no_folder_is_given_away_but_the_one_of_secrets() {
    let tree = rendered(SECRETS);
    let readme = tree.text("README.md").unwrap();
    for line in [
        "chown lifeboat-alertmanager /etc/token && chmod 0400 /etc/token",
        r"chown 65534 '/it'\''s $HOME/slack' && chmod 0400 '/it'\''s $HOME/slack'",
        "chown 65534 /etc/alertmanager/secrets && chmod 0700 /etc/alertmanager/secrets",
        "chown 65534 /etc/alertmanager/secrets/PAGER && chmod 0400 /etc/alertmanager/secrets/PAGER",
    ] {
        assert!(readme.lines().any(|shown| shown == line), "{line}\n{readme}");
    }
    assert!(!readme.contains("-R"), "{readme}");
    let compose = tree.text("compose.yaml").unwrap();
    for source in ["/etc/token", "/it's $$HOME/slack", "/etc/alertmanager/secrets"] {
        assert!(compose.contains(&format!("source: {source}\n")), "{source}\n{compose}");
    }
    assert!(!compose.contains("source: /etc\n") && !compose.contains("/etc:/etc"), "{compose}");
    // Without a secret in that folder nobody is told to touch it.
    let tree = rendered("[[destination]]\ntype = \"slack\"\napi_url_file = \"/slack\"\n");
    let readme = tree.text("README.md").unwrap();
    assert!(readme.contains("chown 65534 /slack &&") && !readme.contains("/etc/alertmanager"), "{readme}");
}

#[test]
fn a_containers_prometheus_sees_the_files_that_it_reads() {
    let tree = rendered("[prometheus]\nscrape_files = [\"/own.yml\", \"/etc/scrapes/own/*.yml\"]\n");
    let compose = tree.text("compose.yaml").unwrap();
    assert!(compose.contains("source: /own.yml\n"), "{compose}");
    assert!(compose.contains("source: /etc/scrapes/own\n"), "{compose}");
}

#[test]
fn the_link_to_reports_gets_into_alerts() {
    let tree = rendered("[links]\nreports = \"https://reports.example.org/?of={node}\"\n");
    let rules = tree.text("prometheus/rules/logos.test.rules.yml").unwrap();
    assert!(rules.contains("https://reports.example.org/?of={{ $labels.node }}"), "{rules}");
    assert!(!rendered("").text("prometheus/rules/logos.test.rules.yml").unwrap().contains("reports_url"));
}

#[test]
fn the_containers_prometheus_is_the_one_that_its_configuration_is_for() {
    let versions = [("", "v2.", false), ("[prometheus]\nversion = \"2.43\"\n", "v2.", false)];
    for (lines, image, has_fallback) in
        versions.into_iter().chain([("[prometheus]\nversion = 3\n", "v3.", true)])
    {
        let tree = rendered(lines);
        let compose = tree.text("compose.yaml").unwrap();
        assert!(compose.contains(&format!("image: prom/prometheus:{image}")), "{lines}: {compose}");
        let config = tree.text("prometheus/prometheus.yml").unwrap();
        assert_eq!(config.contains("fallback_scrape_protocol"), has_fallback, "{lines}");
    }
}

/// What of a file stands after the line of each job's name.
fn jobs(text: &str) -> Vec<(&str, &str)> {
    text.split("\n- job_name: ").skip(1).map(|job| job.split_once('\n').unwrap()).collect()
}

#[test]
fn another_prometheus_can_include_what_is_scraped() {
    let consul = "[[fleet]]\nname = \"shop.test\"\nprofile = \"libp2p-generic\"\n[fleet.consul]\nserver = \"127.0.0.1:8500\"\n\
                  services = [\"shop\"]\nservice_endpoint = \"node\"\n[intervals]\nscrape = \"30s\"\n";
    let tree = rendered(consul);
    let included = tree.text("prometheus/scrape.yml").unwrap();
    let (own, others) = (jobs(tree.text("prometheus/prometheus.yml").unwrap()), jobs(included));
    let names = |jobs: &[(&str, &str)]| jobs.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    let wanted: Vec<String> = names(&own).iter().skip(2).map(|name| format!("lifeboat/{name}")).collect();
    assert_eq!(wanted, ["lifeboat/lifeboat", "lifeboat/node", "lifeboat/node of shop.test by Consul"]);
    assert_eq!(names(&others), wanted, "and neither prometheus nor alertmanager, which it has");
    for (name, job) in others {
        // Each says how often: the other's own interval may be a minute.
        assert!(job.contains("  scrape_interval: 15s\n  scrape_timeout: 10s\n"), "{name}: {job}");
        let label = if name.contains("node") { "node" } else { "lifeboat" };
        let step = format!("  - target_label: job\n    replacement: {label}\n");
        assert_eq!(job.matches(&step).count(), 1, "{name}: {job}");
    }
    assert!(!included.contains("\nglobal:"), "{included}");
}
