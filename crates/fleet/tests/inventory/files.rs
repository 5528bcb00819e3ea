//! Files that an operator names: the inventory, its nodes, his own profile. Whatever stands there, it is told and bounded.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lifeboat_fleet::Inventory;

const HEAD: &str = "[[fleet]]\nname = \"logos.test\"\nprofile = \"lifeboat\"\n";

/// A profile of somebody's own.
const PROFILE: &str = "name = \"mine\"\nhelp = \"ours\"\nincludes = [\"lifeboat\"]\n[endpoint.shop]\nhelp = \"its page\"\nport = 9000\n\
    [signal.peers]\nhelp = \"peers\"\nendpoint = \"shop\"\nunit = \"short\"\nquery = \"sum by (${by}) (shop_peers{${select}})\"\n\
    healthy = 9\nseries = [{ name = \"shop_peers\", kind = \"gauge\" }]\n";

/// What is changed in it, and what is told then.
const OF_PROFILES: &[(&str, &str, &str)] = &[
    ("help = \"ours\"", "hlp = \"ours\"", "mine.toml:2:1: unknown field `hlp`: did you mean \"help\"?"),
    (
        "includes = [\"lifeboat\"]",
        "includes = [\"alert-path\"]",
        "mine.toml:3:13: profile \"alert-path\" is how the engines speak: leave it out: they are watched without it",
    ),
    (
        "[endpoint.shop]",
        "[endpoint.prometheus]",
        "mine.toml:4:11: endpoint `prometheus` is called as the engines' own page: give it another name",
    ),
    (
        "signal.peers",
        "signal.module_deaths",
        "mine.toml:7:9: signal `module_deaths` has no label module, cause, which alerts and panels name: add by = \
         [\"module\", \"cause\"], or give the signal another name",
    ),
    (
        "signal.peers",
        "signal.range",
        "mine.toml:7:9: signal `range` has a name by which alerts mean something else: ",
    ),
    (
        "signal.peers",
        "signal.expected_version",
        "mine.toml:7:9: signal `expected_version` has a name by which ",
    ),
    (
        "name = \"mine\"",
        "name = \"host\"",
        "mine.toml:1:8: profile \"host\" comes with Lifeboat: give yours another name: it may include that one",
    ),
    (
        "port = 9000",
        "port = 99999",
        "mine.toml:6:8: invalid value: integer `99999`: write a whole number from 1 to 65535, without quotes",
    ),
    (
        "port = 9000",
        "port = 9000\nprobe = \"tcp_conect\"",
        "mine.toml:7:9: endpoint `shop`: no probe \"tcp_conect\": did you mean \"tcp_connect\"?",
    ),
    (
        "healthy = 9",
        "healthy = \"9\"",
        "mine.toml:12:11: invalid type: string \"9\": write a number, without quotes",
    ),
    ("healthy = 9\n", "", "mine.toml:7:1: missing field `healthy`: add a line with it"),
    ("\"gauge\"", "\"gouge\"", "mine.toml:13:41: unknown variant `gouge`: did you mean \"gauge\"?"),
    (
        "signal.peers",
        "signal.threshold",
        "mine.toml:7:9: signal `threshold` has a name by which alerts mean something else: give it another name",
    ),
    (
        "name = \"shop_peers\"",
        "name = \"shop peers\"",
        "mine.toml:13:10: series of `peers`: \"shop peers\" is no metric: write its name alone, with letters, digits and _",
    ),
    (
        "\"gauge\"",
        "\"gauge\", labels = { \"a b\" = \"c\" }",
        "mine.toml:13:10: series of `peers`: \"a b\" is no label: ",
    ),
    (
        "\"gauge\"",
        "\"gauge\", factor = nan",
        "mine.toml:13:10: series of `peers`: `factor` or `constant` of shop_peers is no number: write one",
    ),
    (
        "\"gauge\"",
        "\"histogram\", buckets = [1, 0.5]",
        "mine.toml:13:10: series of `peers`: `buckets` of shop_peers do not rise from a first to a last: ",
    ),
    ("port = 9000", "port = 0", "mine.toml:6:8: endpoint `shop` has port 0"),
    ("[endpoint.shop]", "[endpoint.\"../shop\"]", "mine.toml:4:11: endpoint \"../shop\" is no name"),
    ("${by}", "${bye}", "mine.toml:11:9: query of `peers`: "),
    ("{${select}}", "", "mine.toml:11:9: query of `peers` has no ${select}"),
    (
        "endpoint = \"shop\"",
        "endpoint = \"shopp\"",
        "mine.toml:9:12: signal `peers` is told by endpoint \"shopp\", which there is not",
    ),
    (
        "[\"lifeboat\"]\n[end",
        "[\"lifeboad\"]\n[end",
        "mine.toml:3:13: no profile \"lifeboad\": did you mean \"lifeboat\"?",
    ),
    ("healthy = 9", "healthy = nan", "mine.toml:12:11: `healthy` of `peers` is no number"),
];

fn told(path: &Path) -> String {
    let folder = path.parent().unwrap().display().to_string();
    Inventory::load(path).expect_err("it is wrong").to_string().replace(&format!("{folder}/"), "")
}

#[test]
fn what_is_no_file_of_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    assert!(told(&path).starts_with("fleet.toml: cannot be read: No such file"), "{}", told(&path));
    fs::write(&path, b"# \n[[fleet]]\nname = \"\xff\"").unwrap();
    assert_eq!(told(&path), "fleet.toml: is no UTF-8 text: see line 3: save it as UTF-8");
    fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    assert_eq!(told(&path), "fleet.toml: is longer than 16 MiB: name the inventory itself, or split it");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(told(&path), "fleet.toml: is a folder: name a file in it");
    fs::remove_dir(&path).unwrap();
    let pipe = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    let made = std::process::Command::new("mkfifo").arg(pipe.to_str().unwrap()).status().unwrap();
    assert!(made.success());
    assert_eq!(told(&path), "fleet.toml: is no ordinary file: write what it gives to a file, and name that");
}

#[test]
fn a_byte_order_mark_and_returns_are_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    let text = format!("\u{feff}{HEAD}[fleet.nodes]\na = \"10.1.0.1\"\n").replace('\n', "\r\n");
    fs::write(&path, &text).unwrap();
    assert_eq!(Inventory::load(&path).unwrap().fleets[0].nodes.len(), 1);
    fs::write(&path, text.replace("10.1.0.1", "10.1.0.1 ")).unwrap();
    assert!(told(&path).starts_with("fleet.toml:5:5: "), "{}", told(&path));
}

#[test]
fn nodes_may_stand_in_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    fs::write(
        &path,
        format!("{HEAD}nodes_file = [\"nodes.toml\", \"more.toml\"]\n[fleet.nodes]\na = \"10.1.0.1\"\n"),
    )
    .unwrap();
    fs::write(folder.path().join("nodes.toml"), "[nodes]\nb = \"10.1.0.2\"\n").unwrap();
    let more =
        "[[node]]\nname = \"c\"\naddress = \"10.1.0.3\"\nrole = \"store\"\nendpoints = { lifeboat = 1 }\n";
    fs::write(folder.path().join("more.toml"), more).unwrap();
    let nodes = Inventory::load(&path).unwrap().fleets.remove(0).nodes;
    let names: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.role.as_str())).collect();
    assert_eq!(names, [("a", "node"), ("b", "node"), ("c", "store")]);
    assert_eq!(nodes[2].endpoints["lifeboat"], "10.1.0.3:1");
    fs::write(
        folder.path().join("nodes.toml"),
        "[nodes]\na = \"10.1.0.2\"\nb = \"10.1.0.1\"\nc = 1\n[node]\n",
    )
    .unwrap();
    fs::remove_file(folder.path().join("more.toml")).unwrap();
    let told = told(&path);
    for expected in [
        "nodes.toml:2:1: node \"a\" stands twice",
        "nodes.toml:3:5: endpoint `lifeboat` at 10.1.0.1:9464 is that of a of logos.test, too",
        "nodes.toml:4:5: the address of \"c\" is no text",
        "nodes.toml:5:1: `node` of the file of nodes is a table: write [[node]] with two brackets",
        "fleet.toml:4:29: ",
        "more.toml cannot be read: No such file",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}

#[test]
fn a_profile_may_be_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    let own = folder.path().join("mine.toml");
    fs::write(
        &path,
        "[[fleet]]\nname = \"x\"\nprofile = [\"lifeboat\", \"mine.toml\"]\n[fleet.nodes]\na = \"10.1.0.1\"\n",
    )
    .unwrap();
    fs::write(&own, PROFILE).unwrap();
    let fleet = Inventory::load(&path).unwrap().fleets.remove(0);
    assert_eq!(fleet.profiles, ["lifeboat", "mine"]);
    assert_eq!(fleet.nodes[0].endpoints["shop"], "10.1.0.1:9000");
    assert!(fleet.speech.signals.contains_key("peers"));
    for (from, to, expected) in OF_PROFILES {
        assert!(PROFILE.contains(from), "{from}");
        fs::write(&own, PROFILE.replace(from, to)).unwrap();
        let told = told(&path);
        assert!(told.starts_with(expected), "{expected}\n{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn a_registry_in_json_says_hosts_and_ports_for_peers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    let registry = folder.path().join("fleets.json");
    let fleet = "[[fleet]]\nname = \"waku.test\"\nprofile = [\"lifeboat\", \"probes\"]\nnodes_file = \"fleets.json\"\n";
    fs::write(&path, fleet).unwrap();
    let right = r#"{ "meta": {}, "fleets": {
  "waku.sandbox": { "tcp/p2p/waku": { "node-09.do-ams3.waku.sandbox": "/ip4/10.9.9.9/tcp/1/p2p/16U" } },
  "waku.test": {
    "enr/p2p/waku": { "node-01.do-ams3.waku.test": "enr:-QES" },
    "wss/p2p/waku": { "node-01.do-ams3.waku.test": "/dns4/node-01.example.org/tcp/8000/wss/p2p/16U" },
    "tcp/p2p/waku": { "node-01.do-ams3.waku.test": "/dns4/node-01.example.org/tcp/30303/p2p/16U",
                      "node-02.gc-us.waku.test": "/ip6/2001:db8::2/tcp/30304/p2p/16U" },
    "waku": { "node-01.do-ams3.waku.test": "/ip4/0.0.0.0/tcp/30303/p2p/16U" }
  } } }"#;
    fs::write(&registry, right).unwrap();
    let nodes = Inventory::load(&path).unwrap().fleets.remove(0).nodes;
    let shown = nodes.iter().map(|node| {
        (node.dc.as_str(), node.endpoints["lifeboat"].as_str(), node.endpoints["reach"].as_str())
    });
    let expected = [
        ("do-ams3", "node-01.example.org:9464", "node-01.example.org:30303"),
        ("gc-us", "[2001:db8::2]:9464", "[2001:db8::2]:30304"),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    for (from, to, expected) in [
        ("{ \"meta\"", "[ \"meta\"", "fleets.json:1:9: no JSON: "),
        ("\"fleets\"", "\"boats\"", "fleets.json:1:1: no registry of fleets"),
        (
            "\"waku.test\"",
            "\"waku.tset\"",
            "fleets.json:1:15: it has no fleet \"waku.test\": did you mean \"waku.tset\"?",
        ),
        ("node-02.gc-us", "node 02", "fleets.json:7:23: \"node 02.waku.test\" is no name: use letters"),
        ("/ip6/2001:db8::2", "/ip6/a b", "fleets.json:7:23: \"a b\" is no node's address"),
    ] {
        assert!(right.contains(from), "{from}");
        fs::write(&registry, right.replace(from, to)).unwrap();
        assert!(told(&path).starts_with(expected), "{expected}\n{}", told(&path));
    }
    fs::write(&registry, "[".repeat(100_000)).unwrap();
    assert!(told(&path).contains("no JSON: recursion limit exceeded"), "{}", told(&path));
}

#[test]
fn a_long_file_of_mistakes_ends_soon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    let head = "[[fleet]]\nname = \"a\"\nprofile = \"lifeboat\"\n[fleet.nodes]\n";
    let nodes =
        |address: &str| (0..10_000).map(|number| format!("n{number} = \"{address}\"\n")).collect::<String>();
    for text in [
        format!("{head}{}", nodes("a b")),
        format!("{head}{}", nodes("10.1.0.1")),
        "= ]\n".repeat(100_000),
        "[".repeat(1 << 20),
    ] {
        fs::write(&path, text).unwrap();
        let lines = told(&path).lines().count();
        assert!((1..=200).contains(&lines), "{lines}");
    }
}
