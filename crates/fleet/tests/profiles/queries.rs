//! A query with a mistake is refused with its place and reason when its profile is read, and what is refused as no PromQL is what
//! Prometheus refuses. 1. a profile with one query 2. the inventory that names it 3. promtool reads the same query

use std::fs;
use std::path::Path;
use std::process::Command;

use lifeboat_fleet::Inventory;
use lifeboat_fleet::profile::Book;

use crate::signals::promtools;

const HEAD: &str = "name = \"mine\"\nhelp = \"Ours.\"\n[endpoint.shop]\nhelp = \"its page\"\nport = 9000\n\
                    [signal.peers]\nhelp = \"peers\"\nendpoint = \"shop\"\nunit = \"short\"\nhealthy = 9\n";

/// Queries, and what is told of each; nothing of those that are right.
const CASES: &[(&str, &str)] = &[
    ("sum by (${by}) (m{${select}})", ""),
    ("m{${select}}", ""),
    ("sum by (${by}, le) (rate(m{${select}}[${range}])) / 2", ""),
    ("sum without (instance) (m{${select}})", ""),
    ("max_over_time(m{${select}}[1h:1m]) unless m{${select}} > 5", ""),
    ("label_replace(m{${select}}, \"x\", \"$1\", \"y\", \"(.*)\")", ""),
    ("topk(3, m{${select}}) by (${by})", ""),
    ("sum by (${by}) (old{${select}} or m{${select}})", ""),
    ("m{${select}} * on (${by}) group_left () sum by (${by}) (m{${select}})", ""),
    ("sum by (${by}) (m{${select}}) offset 5m", " is no PromQL: offset modifier must be preceded by "),
    (
        "sum by (${by}) (m{${select}}",
        " is no PromQL: unclosed left parenthesis: correct it until Prometheus takes \
         sum by (fleet, dc, node) (m{job=\"shop\",fleet=\"FLEET\"}",
    ),
    ("summ(m{${select}})", " is no PromQL: unknown function with name 'summ': "),
    ("rate(m{${select}})", " is no PromQL: expected type matrix in call to function 'rate', got vector: "),
    ("m{${select}} + ", " is no PromQL: "),
    ("m{${select}", " is no PromQL: unexpected end of input inside braces: "),
    ("rate(m{${select}}[2m3])", ": \"2m3\" is no duration: write it as 15s, 1m30s, 2h or 7d"),
    ("max_over_time(m{${select}}[1h:1e999])", ": \"1e999\" is no duration: "),
    ("m{${select}} OFFSET - 1e999", ": \"1e999\" is no duration: "),
    ("m{${select},a!=\"[1e999]\"} # offset 1e999\noffset 5m", ""),
    ("m{${select}} # of all", " is no PromQL: unclosed left parenthesis: "),
    ("mad_over_time(m{${select}}[2m])", ": `mad_over_time` is an experiment of Prometheus'"),
    ("limitk(2, m{${select}})", ": `limitk` is an experiment of Prometheus'"),
    ("m{${select}}[${range}]", " gives no number for each node: put a function around the range"),
    ("time()", " gives no number for each node: ask for a metric of the nodes, as metric{${select}}"),
    ("m", " has no ${select}: write it among the matchers"),
    ("m{${select}} / m", " asks for m of all fleets: write ${select} among its matchers"),
    (
        "sum by (${by}) (mm{${select}})",
        " asks for mm, and its `series` tells m: write the name that the nodes have in both",
    ),
    (
        "m{${select}} / n{${select}}",
        " asks for n, which its `series` does not tell: add { name = \"n\", kind = … } to `series`",
    ),
    ("sum(m{${select}})", " loses the label `fleet`: aggregate by (${by}), which tells nodes apart: "),
    ("sum by (fleet, dc) (m{${select}})", " loses the label `node`: "),
    ("sum without (node) (m{${select}})", " loses the label `node`: "),
    ("m{${select}} / on (fleet) sum by (${by}) (m{${select}})", " loses the label `dc`: "),
    ("absent(m{${select}})", " loses the label `fleet`: "),
];

fn told(folder: &Path, profile: &str) -> String {
    let path = folder.join("fleet.toml");
    let inventory = "[[fleet]]\nname = \"x\"\nprofile = \"mine.toml\"\nnodes = { a = \"10.1.0.1\" }\n";
    fs::write(&path, inventory).unwrap();
    fs::write(folder.join("mine.toml"), profile).unwrap();
    match Inventory::load(&path) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string().replace(&format!("{}/", folder.display()), ""),
    }
}

fn profile(query: &str) -> String {
    format!("{HEAD}query = '''{query}'''\nseries = [{{ name = \"m\", kind = \"gauge\" }}]\n")
}

/// Whether promtool takes it in a rule, in brackets as alerts have it.
fn takes(promtool: &Path, folder: &Path, query: &str) -> bool {
    let query =
        query.replace("${select}", "a=\"b\"").replace("${range}", "2m").replace("${by}", "fleet, dc, node");
    let rules = serde_json::json!({"groups": [{"name": "g", "rules": [{"record": "x", "expr": format!("({query})")}]}]});
    let file = folder.join("rules.yml");
    fs::write(&file, rules.to_string()).unwrap();
    Command::new(promtool).args(["check", "rules"]).arg(file).output().unwrap().status.success()
}

#[test]
fn each_is_told_with_its_place_reason_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for (query, expected) in CASES {
        let told = told(folder.path(), &profile(query));
        let expected = match *expected {
            "" => String::new(),
            expected => format!("mine.toml:11:9: query of `peers`{expected}"),
        };
        assert!(told.starts_with(&expected) && told.is_empty() == expected.is_empty(), "{query}:\n{told}");
        assert!(told.lines().count() <= 1, "{query}:\n{told}");
    }
}

#[test]
fn prometheus_refuses_what_is_no_promql_and_takes_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    for promtool in promtools() {
        for (query, expected) in CASES {
            let is_refused = expected.contains("is no PromQL")
                || expected.contains("is no duration")
                || expected.contains("is an experiment");
            assert_eq!(takes(&promtool, folder.path(), query), !is_refused, "{query}");
        }
    }
}

#[test]
fn a_signal_that_takes_the_place_of_a_known_one_is_read_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let own = profile("summ(m{${select}})").replace("[signal.peers]", "[signal.cpu_seconds_rate]");
    let own = own.replace("help = \"Ours.\"", "help = \"Ours.\"\nincludes = [\"logos-delivery\"]");
    let told = told(folder.path(), &own);
    assert!(told.starts_with("mine.toml:12:9: query of `cpu_seconds_rate` is no PromQL: "), "{told}");
}

#[test]
fn a_query_that_is_nested_beyond_measure_is_refused_or_read_and_never_the_end() {
    let folder = tempfile::tempdir().unwrap();
    for (opening, closing) in [("(", ")"), ("-", ""), ("abs(", ")"), ("1 + (", ")"), ("m{${select}} + ", "")]
    {
        for nested in [1980 / (opening.len() + closing.len()), 100_000] {
            let query = format!("{}m{{${{select}}}}{}", opening.repeat(nested), closing.repeat(nested));
            let told = told(folder.path(), &profile(&query));
            let is_long = told.contains("is longer than 2000 bytes: make several signals of it");
            assert_eq!((is_long, told.is_empty()), (query.len() > 2000, query.len() <= 2000), "{told}");
        }
    }
}

#[test]
fn no_query_of_ours_would_be_refused_in_a_profile_of_somebody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    for profile in Book::ours().unwrap().profiles() {
        let text = fs::read_to_string(profiles.join(format!("{}.toml", profile.name))).unwrap();
        let told =
            told(folder.path(), &text.replace(&format!("name = \"{}\"", profile.name), "name = \"mine\""));
        assert!(told.is_empty() || profile.is_of_engines, "{}:\n{told}", profile.name);
    }
}

/// Pieces that mean something somewhere.
const PIECES: &[&str] = &[
    "m",
    "{${select}}",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "[${range}]",
    "[99999999999999999999y]",
    "[1h:]",
    " offset ",
    "-",
    "99y",
    " @ ",
    "1e999",
    "start()",
    "0x",
    "nan",
    "inf",
    "\"\\xff\"",
    "\"\\777\"",
    "\"\\u{d800}\"",
    "`",
    "#",
    "\n",
    " by ",
    " without ",
    " on ",
    " ignoring ",
    " group_left ",
    " bool ",
    "sum",
    "topk",
    "quantile",
    "count_values",
    "rate",
    "label_replace",
    ",",
    "=",
    "=~",
    "!=",
    "==",
    " or ",
    " and ",
    "^",
    "%",
    " atan2 ",
    "ä",
    "\u{202e}",
    ":",
    ".",
    "${by}",
    "le",
    "\"(\"",
    "__name__",
    "5",
    "0",
    "fill",
];

#[test]
fn whatever_stands_in_a_query_it_is_read_or_refused() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |end: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % end as u64) as usize
    };
    let mut book = Book::default();
    for _ in 0..5_000 {
        let query: String = (0..=below(14)).map(|_| PIECES[below(PIECES.len())]).collect();
        drop(book.add("mine.toml", &profile(&query)));
    }
}
