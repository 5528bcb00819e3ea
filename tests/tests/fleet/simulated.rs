//! The pages of simulated nodes are pages: `promtool check metrics` of either generation finds nothing but names that the
//! programs really give.

use lifeboat_tests::Run;
use lifeboat_tests::Scratch;
use lifeboat_tests::engines::{Generation, Loopback, Simulator};
use lifeboat_tests::http::get;

/// What other people's names are blamed for.
const OF_NAMES: [&str; 3] = ["metric name should not", "metric names should", "metrics should not have"];

#[test]
fn promtool_reads_every_page() {
    let (scratch, hosts) = (Scratch::new("simulated"), Loopback::new());
    let profile = "[\"logos-delivery\", \"logos-core-modules\", \"cluster\"]";
    let mut text = format!(
        "[exporters]\nblackbox = \"{}\"\n[[fleet]]\nname = \"f\"\nprofile = {profile}\nendpoints = {{ postgres = true, tls = true }}\n",
        hosts.address(3, 9115)
    );
    for number in [10, 11] {
        text += &format!("[[fleet.node]]\nname = \"node-{number}\"\naddress = \"{}\"\n", hosts.host(number));
    }
    let inventory = scratch.write("fleet.toml", text);
    let _simulator = Simulator::start(&inventory, &hosts.address(5, 0), &[]);
    let mut pages: Vec<String> = Vec::new();
    for number in [10, 11] {
        for port in [8008, 9464, 9100, 9187] {
            pages.push(get(&hosts.address(number, port), "/metrics", &[]).text());
        }
        for port in [60_000, 8000] {
            let path = format!("/probe?target={}", hosts.address(number, port));
            pages.push(get(&hosts.address(3, 9115), &path, &[]).text());
        }
    }
    for (number, page) in pages.iter().enumerate() {
        assert!(page.lines().count() > 2, "{page}");
        let file = scratch.write(&format!("page-{number}"), page);
        for generation in Generation::ALL {
            let script = "\"$0\" check metrics < \"$1\"";
            let promtool = Run::new("sh").args(["-c", script]).arg(generation.program("promtool")).arg(&file);
            let outcome = promtool.finish();
            let mut said = outcome.stdout.lines().chain(outcome.stderr.lines());
            let is_of_names = said.all(|line| OF_NAMES.iter().any(|blame| line.contains(blame)));
            assert!(
                is_of_names && [0, 3].contains(&outcome.shell_status()),
                "{}{}",
                outcome.stdout,
                outcome.stderr
            );
        }
    }
}
