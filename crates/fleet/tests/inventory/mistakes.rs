//! Every mistake is told with line, column and remedy, and all of them at once.

use lifeboat_fleet::Inventory;

/// What stands before each case: its own lines begin at line 6.
const FLEET: &str = r#"[[fleet]]
name = "logos.test"
profile = ["libp2p-generic", "lifeboat"]
[fleet.nodes]
"node-01" = "10.1.0.1"
"#;

/// The lines of a case, and what is told of them.
const CASES: &[(&str, &str)] = &[
    (
        "[intervals",
        "6:11: unclosed table, expected `]`: write TOML: key = \"text\", [table], and lists in brackets",
    ),
    (
        "node-02 = \"10.1.0.2\"\nnode-02 = \"10.1.0.3\"",
        "7:1: `node-02` stands twice: keep one, or give one of them another name",
    ),
    ("[links]\n[links]", "7:2: `links` stands twice: keep one, or give one of them another name"),
    (
        "[intervals]\nscrape = \"99999999999y\"",
        r#"7:10: `scrape`: "99999999999y" is no duration: write it as 15s, 1m30s, 2h or 7d, from 1s to 2m"#,
    ),
    (
        "[fleet.objectives]\nwindow = \"1h\"",
        "7:10: `window` = 1h is out of range: write a duration from 1d to 365d",
    ),
    (
        "[fleet.objectives]\nwindow = \"500y\"",
        "7:10: `window` = 182500d is out of range: write a duration from 1d to 365d",
    ),
    (
        "[prometheus]\nretention = \"2h\"",
        "7:13: `retention` = 2h is out of range: write a duration from 1d to 3650d",
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = \"lifeboat\"\nnodes_min = 99999999999999999999\n[fleet.nodes]\nb = \"10.1.0.2\"",
        "9:13: `nodes_min` of [[fleet]] is too large: write a smaller number",
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = \"lifeboat\"\nnodes_min = -1\n[fleet.nodes]\nb = \"10.1.0.2\"",
        "9:13: `nodes_min` is no number of nodes: write a number from 1 to 1000000",
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = \"xyz\"\n[fleet.nodes]\nb = \"10.1.0.2\"",
        r#"8:11: no profile "xyz": one of: cluster, host, libp2p-generic, lifeboat, logos-core-modules, logos-delivery, postgres, probes"#,
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = []\n[fleet.nodes]\nb = \"10.1.0.2\"",
        r#"8:11: `profile` names none: name one, as "logos-delivery""#,
    ),
    (
        "[alertmanager]\nsecrets_dir = \"/etc/\"",
        r#"7:15: `secrets_dir` "/etc/" is no folder of its own: name one that holds secrets alone, as "/etc/alertmanager/secrets""#,
    ),
    ("[alertmanager]\nsecrets_dir = \"/\"", r#"7:15: `secrets_dir` "/" is no folder of its own: "#),
    (
        "[alertmanager]\nsecrets_dir = \"/etc/secrets/../..\"",
        r#"7:15: `secrets_dir` "/etc/secrets/../.." is no folder of its own: "#,
    ),
    (
        "[links]\nlogs = \"https://logs.example.org/?token=abc\"",
        "7:8: `logs` bears a key or a password: everybody who is told would read it: leave the key out, and let people log in; of a repository, name a branch, not a commit",
    ),
    ("[links]\nreports = \"https://hooks.slack.com/x\"", "7:11: `reports` bears a key or a password: "),
    (
        "[[fleet]]\nname = \"path\"\nprofile = \"lifeboat\"\n[fleet.nodes]\nb = \"10.1.0.2\"",
        r#"7:8: fleet "path" would share its files of rules with others: name it neither path nor with .trends, .hours or .days at the end"#,
    ),
    (
        "[[fleet]]\nname = \"logos.test.hours\"\nprofile = \"lifeboat\"\n[fleet.nodes]\nb = \"10.1.0.2\"",
        r#"7:8: fleet "logos.test.hours" would share its files of rules with others: "#,
    ),
    (
        "[[fleet]]\nname = \"logos.test.days\"\nprofile = \"lifeboat\"\n[fleet.nodes]\nb = \"10.1.0.2\"",
        r#"7:8: fleet "logos.test.days" would share its files of rules with others: "#,
    ),
    ("[intervalls]", r#"6:2: the inventory has no key `intervalls`: did you mean "intervals"?"#),
    ("[intervals]\nscrap = \"15s\"", r#"7:1: [intervals] has no key `scrap`: did you mean "scrape"?"#),
    (
        "[intervals]\nscrape = 15",
        r#"7:10: `scrape` of [intervals] is a whole number: write a duration in quotes, as "15s""#,
    ),
    (
        "[intervals]\nscrape = \"15\"",
        r#"7:10: `scrape`: "15" is no duration: write it as 15s, 1m30s, 2h or 7d, from 1s to 2m"#,
    ),
    ("[intervals]\nscrape = \"0s\"", "7:10: `scrape` = 0s is out of range: write a duration from 1s to 2m"),
    ("[intervals]\nscrape = \"10m\"", "7:10: `scrape` = 10m is out of range: write a duration from 1s to 2m"),
    (
        "[[fleet.node]]\nname = \"node-02\"",
        r#"6:1: [[fleet.node]] has no `address`: add address = "10.1.0.1""#,
    ),
    (
        "[[fleet.node]]\naddress = \"a\"",
        r#"6:1: [[fleet.node]] has no `name`: add name = "node-01.do-ams3.logos.test""#,
    ),
    ("[fleet.endpoints]\nnod = true", r#"7:1: no endpoint "nod": did you mean "node"?"#),
    (
        "[fleet.endpoints]\nnode = 0",
        r#"7:8: that is no place for an endpoint: write a port from 1 to 65535, an address as "10.1.0.1:8008", true or false"#,
    ),
    (
        "[fleet.endpoints]\nnode = 65536",
        r#"7:8: that is no place for an endpoint: write a port from 1 to 65535, an address as "10.1.0.1:8008", true or false"#,
    ),
    (
        "[fleet.endpoints]\nnode = \"10.1.0.1\"",
        r#"7:8: that is no place for an endpoint: write host and port, as "10.1.0.1:8008" or "[2001:db8::1]:8008""#,
    ),
    (
        "b-02.do-ams3.logos.test = \"10.1.0.2\"",
        r#"6:1: the name "b-02.do-ams3.logos.test" wants quotes round it: write it as "b-02.do-ams3.logos.test" = "10.1.0.2""#,
    ),
    (
        "[fleet.thresholds]\nowner = \"bob\"",
        "7:1: `owner` is a key of [[fleet]], and no threshold: write it below [[fleet]], above [fleet.thresholds] and each other table of it",
    ),
    ("[fleet.thresholds]\npeers_mni = 3", r#"7:1: no threshold "peers_mni": did you mean "peers_min"?"#),
    (
        "[fleet.thresholds]\npeers_min = nan",
        "7:13: threshold `peers_min` is no such figure: write a whole number from 1 to 10000: ",
    ),
    (
        "[fleet.thresholds]\npeers_min = -1",
        "7:13: threshold `peers_min` is no such figure: write a whole number from 1 to 10000: ",
    ),
    (
        "[fleet.thresholds]\npeers_min = inf",
        "7:13: threshold `peers_min` is no such figure: write a whole number from 1 to 10000: ",
    ),
    (
        "[fleet.thresholds]\npeers_min = 0",
        "7:13: threshold `peers_min` is no such figure: write a whole number from 1 to 10000: ",
    ),
    (
        "[fleet.thresholds]\npeers_min = 2.5",
        "7:13: threshold `peers_min` is no such figure: write a whole number from 1 to 10000: ",
    ),
    (
        "[fleet.thresholds]\nmemory_ratio_max = 1",
        "7:20: threshold `memory_ratio_max` is no such figure: write a number from 0.001 to 0.999: ",
    ),
    (
        "[fleet.thresholds]\ndatabase_size_max_bytes = 1e300",
        "7:27: threshold `database_size_max_bytes` is no such figure: write a number from 1000000 to 1000000000000000: ",
    ),
    (
        "[fleet.thresholds]\ncpu_steal_ratio_max = 0.3",
        "6:1: `cpu_steal_ratio_max` is not below `cpu_steal_ratio_critical`: let the one that warns be less than the one that is critical",
    ),
    (
        "[fleet.objectives]\navailability = 99.9",
        "7:16: `availability` is no such figure: write a share between 0 and 1, as 0.999",
    ),
    (
        "[fleet.consul]\nserver = \"consul\"\nservices = [\"a\"]",
        r#"7:10: `server` "consul" is no address: write host and port, as "10.1.0.1:8008" or "[2001:db8::1]:8008""#,
    ),
    (
        "[fleet.consul]",
        r#"6:1: [fleet.consul] takes every service that Consul knows: name services = ["nim-waku"] or tags = ["env:waku", "stage:test", "metrics"]"#,
    ),
    (
        "[[fleet]]\nname = \"logos.test\"\nprofile = \"lifeboat\"\n[fleet.nodes]\nb = \"10.1.0.2\"",
        r#"7:8: fleet "logos.test" stands twice: give one of them another name"#,
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = \"lifeboat\"\n[fleet.nodes]\nb = \"10.1.0.1\"",
        "10:5: endpoint `lifeboat` at 10.1.0.1:9464 is that of node-01 of logos.test, too: correct the address, or give each its own port in its endpoints",
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = \"lifeboad\"\n[fleet.nodes]\nb = \"10.1.0.2\"",
        r#"8:11: no profile "lifeboad": did you mean "lifeboat"?"#,
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = \"lifeboat\"",
        r#"6:1: fleet "b" has no nodes: add [fleet.nodes] with lines such as "node-01" = "10.1.0.1""#,
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = \"lifeboat\"\n[fleet.nodes]",
        r#"6:1: fleet "b" has no nodes: add [fleet.nodes] with lines such as "node-01" = "10.1.0.1""#,
    ),
    (
        "[[fleet]]\nname = \"b\"\nprofile = \"lifeboat\"\nnode = []",
        r#"6:1: fleet "b" has no nodes: add [fleet.nodes] with lines such as "node-01" = "10.1.0.1""#,
    ),
    ("[prometheus]\nversion = \"2.37\"", "7:11: version 2.37 is older than 2.42: install a newer one"),
    ("[prometheus]\nversion = \"new\"", r#"7:11: that is no version: write it as "2.42""#),
    (
        "[prometheus]\nscrape_files = [\"x.yml\"]",
        r#"7:17: "x.yml" is no absolute path: write it from the root on: another program opens it"#,
    ),
    (
        "[links]\ngrafana = \"grafana.example.org\"",
        r#"7:11: `grafana` is no web address: write it whole, as "https://grafana.example.org""#,
    ),
    (
        "[links]\nlogs = \"https://a/{{ .X }}\"",
        "7:8: `logs` of [links] has {{ in it: write plain text, without template braces",
    ),
    ("[grafana]\nfolder = \"\"", "7:10: `folder` of [grafana] is empty: fill it in, or leave the line out"),
    (
        "[grafana]\nfolder = \"a\\nb\"",
        "7:10: `folder` of [grafana] has a control character in it: write one line of plain text",
    ),
];

/// Addresses that are none, with the remedy.
const ADDRESSES: &[(&str, &str)] = &[
    ("10.1.0.256", "write a host name or an IP address"),
    ("10.1.0", "write a host name or an IP address"),
    ("node 01", "write a host name or an IP address"),
    ("-node", "write a host name or an IP address"),
    ("node..example", "write a host name or an IP address"),
    ("2001:db8::zz", "write a host name or an IP address"),
    ("[10.1.0.2]", "write the address at which others reach the node"),
    ("0.0.0.0", "write the address at which others reach the node"),
    ("[::]", "write the address at which others reach the node"),
    (
        "http://10.1.0.2:8008/metrics",
        "write the host alone, as \"10.1.0.2\"; ports stand in [fleet.endpoints]",
    ),
    ("10.1.0.2:8008", "write the host alone, as \"10.1.0.2\"; ports stand in [fleet.endpoints]"),
];

/// Texts that are no names: they would break a label, a matcher, a template or a path.
const NAMES: &[&str] = &[
    "a b",
    "a\\\"b",
    "a'b",
    "{{ x }}",
    "a/b",
    "../a",
    ".a",
    "-a",
    "<b>",
    "ä",
    "a\\\\b",
    "a\\u0000b",
    "a\\u202eb",
    "$a",
    "a`b",
];

fn told(text: &str) -> Vec<String> {
    let problems = Inventory::read("fleet.toml", text).expect_err(text);
    problems
        .to_string()
        .lines()
        .map(|line| line.strip_prefix("fleet.toml:").unwrap_or(line).to_owned())
        .collect()
}

#[test]
fn each_is_told_with_its_place_and_remedy() {
    for (lines, expected) in CASES {
        let told = told(&format!("{FLEET}{lines}\n"));
        assert_eq!(told.len(), 1, "{lines}: {told:#?}");
        assert!(told[0].starts_with(expected), "{lines}:\n{}\n{expected}", told[0]);
        assert!(expected.ends_with(": ") || told[0] == *expected, "{lines}:\n{}\n{expected}", told[0]);
    }
}

#[test]
fn an_address_that_is_none_is_told_wherever_it_stands() {
    for (address, remedy) in ADDRESSES {
        let expected = format!("{address:?} is no node's address: {remedy}");
        let listed = told(&format!("{FLEET}[[fleet.node]]\nname = \"b\"\naddress = \"{address}\"\n"));
        assert_eq!(listed, [format!("8:11: {expected}")]);
        let tabled = told(&format!("{FLEET}node-02 = \"{address}\"\n"));
        assert_eq!(tabled, [format!("6:11: {expected}")]);
    }
}

#[test]
fn a_name_that_could_break_a_rule_is_refused_wherever_it_stands() {
    for name in NAMES {
        let places = [
            format!("{FLEET}[[fleet.node]]\naddress = \"10.1.0.2\"\nname = \"{name}\"\n"),
            format!("{FLEET}[[fleet.node]]\naddress = \"10.1.0.2\"\nname = \"b\"\nrole = \"{name}\"\n"),
            format!("{FLEET}[[fleet.node]]\naddress = \"10.1.0.2\"\nname = \"b\"\ndc = \"{name}\"\n"),
            format!("{FLEET}[[fleet.node]]\naddress = \"10.1.0.2\"\nname = \"b\"\nowner = \"{name}\"\n"),
            format!("{FLEET}\"{name}\" = \"10.1.0.2\"\n"),
            FLEET.replace("logos.test", name),
            FLEET.replace("profile", &format!("owner = \"{name}\"\nprofile")),
            FLEET.replace("profile", &format!("version = \"{{{{{name}\"\nprofile")),
        ];
        for text in places {
            assert!(!told(&text).is_empty(), "{text}");
        }
    }
}

#[test]
fn all_mistakes_of_all_parts_are_told_at_once_in_their_order() {
    let text = "[[fleet]]\nname = \"a b\"\nprofil = \"lifeboat\"\n[fleet.nodes]\na = \"http://a/\"\nb = 1\n\
                [intervals]\nscrape = \"1\"\n[[destination]]\ntype = \"slak\"\n[other]\n";
    let places: Vec<String> =
        told(text).iter().map(|line| line.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(places, ["1:1", "2:8", "3:1", "5:5", "6:5", "8:10", "10:8", "11:2"]);
}

#[test]
fn every_mistake_of_syntax_is_told() {
    let told = told("[[fleet]]\nname = \"a\nprofile = [\n[fleet.nodes\n");
    assert!(told.len() > 1, "{told:#?}");
    assert!(told[0].starts_with("2:"), "{told:#?}");
}

#[test]
fn a_bad_name_does_not_hide_a_bad_address() {
    for lines in ["\"a b\" = \"http://x\"", "[[fleet.node]]\nname = \"a b\"\naddress = \"http://x\""] {
        let told = told(&format!("{FLEET}{lines}\n"));
        assert!(told.len() == 2 && told[0].contains("\"a b\" is no name"), "{told:#?}");
        assert!(told[1].contains("\"http://x\" is no node's address"), "{told:#?}");
    }
}

#[test]
fn an_empty_file_is_told_how_to_begin() {
    assert_eq!(told(""), ["1:1: no fleet: begin with [[fleet]], its name and its profile"]);
}
