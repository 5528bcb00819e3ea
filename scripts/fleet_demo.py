"""Six nodes under Prometheus and Alertmanager, and one of them dies: what is told, to whom, and after how many seconds.

scripts/demo --fleet builds the programs and runs this; --fast divides every interval by fifteen.
"""

import argparse
import sys
import time
from pathlib import Path

from fleet_lab import HOST, RESTART_SECONDS, Lab, LabError, end_by_signals, free_ports
from fleet_screen import Screen
from webhook import Webhook, card

FLEET, DOOMED, ALERT = "harbor.demo", "amsterdam", "NodeDied"
# Name, program, how it is built, data centre.
NODES = [
    ("amsterdam", "c-node", "C", "nl"),
    ("bremen", "rust-node", "Rust", "de"),
    ("calais", "nim-node", "Nim", "fr"),
    ("dover", "c-node", "C", "uk"),
    ("emden", "rust-node", "Rust", "de"),
    ("flushing", "nim-node", "Nim", "nl"),
]
# Of a runbook's, what is shown here.
RUNBOOK_SECTIONS = ("Meaning", "Impact")
UP_SECONDS = 90
TOLD_SECONDS = 120
CLEAR_SECONDS = 150
DIE_AFTER_MS = 3000
FAST = 15


class Demo:
    """The steps, in their order."""

    def __init__(self, arguments, screen):
        self.screen, self.accelerate = screen, FAST if arguments.fast else 1
        self.lab = Lab(arguments.folder.resolve(), arguments.dist, arguments.engines)
        self.programs = arguments.programs.resolve()
        self.fleet = [(name, "c-node", "C", dc) for name, _, _, dc in NODES] if arguments.only_c else NODES
        self.rendered = self.lab.folder / "rendered"
        self.ports = free_ports(2 * len(NODES) + 2)

    def run(self):
        self.render()
        self.start()
        self.die()
        self.told()
        self.report()
        return self.after()

    # ---- 1 ----

    def render(self):
        screen, lab = self.screen, self.lab
        screen.title("A fleet in one file")
        lab.webhook = Webhook()
        prometheus, alertmanager = self.ports[-2:]
        lab.prometheus_url, lab.alertmanager_url = f"http://{HOST}:{prometheus}", f"http://{HOST}:{alertmanager}"
        (lab.folder / "fleet.toml").write_text(self.inventory())
        screen.indented((lab.folder / "fleet.toml").read_text())
        screen.line()
        screen.command("lifeboat fleet check fleet.toml")
        screen.indented(lab.lifeboat("fleet", "check", "fleet.toml"))
        accelerate = [f"--accelerate={self.accelerate}"] if self.accelerate > 1 else []
        screen.command(" ".join(["lifeboat fleet render fleet.toml --out rendered", *accelerate]))
        said = screen.during("rendering", lab.lifeboat, "fleet", "render", "fleet.toml", "--out", self.rendered, *accelerate)
        screen.indented(said.strip().splitlines()[-1])

    def inventory(self):
        lines = [
            f'{{ name = "{name}", dc = "{dc}", address = "{HOST}", endpoints = {{ lifeboat = {port} }} }},'
            for (name, _, _, dc), port in zip(self.fleet, self.ports)
        ]
        host_of = lambda url: url.removeprefix("http://")
        return "\n".join([
            f'prometheus = {{ address = "{host_of(self.lab.prometheus_url)}" }}',
            f'alertmanager = {{ address = "{host_of(self.lab.alertmanager_url)}" }}',
            "",
            "[[destination]]",
            'type = "webhook"',
            f'url = "{self.lab.webhook.url}"',
            "",
            "[[fleet]]",
            f'name = "{FLEET}"',
            'profile = "lifeboat"',
            'owner = "harbour-master"',
            "node = [",
            *[f"    {line}" for line in lines],
            "]",
            "",
        ])

    # ---- 2 ----

    def start(self):
        screen, lab = self.screen, self.lab
        screen.title(f"Six nodes, each with its monitor; {lab.versions()}; a webhook")
        talk = self.ports[len(NODES):]
        for at, (name, program, language, dc) in enumerate(self.fleet):
            command = [self.programs / program, "--name", name, "--listen", f"{HOST}:{talk[at]}", "--every-ms", "1000",
                       "--peer", f"{HOST}:{talk[(at + 1) % len(NODES)]}"]
            lab.node(name, command, self.ports[at], FLEET, f"dc={dc}")
        lab.start_engines(self.rendered)
        up = f'lifeboat_node_up{{fleet="{FLEET}"}} == 1'
        seconds = screen.wait("until Prometheus has seen all six up", lambda: len(lab.query(up) or []) == len(NODES), UP_SECONDS)
        for at, (name, _, language, dc) in enumerate(self.fleet):
            screen.line(f"  {name:<10} {language:<5} {dc}  http://{HOST}:{self.ports[at]}/metrics  {screen.paint('32', 'up')}")
        screen.line(screen.paint("2", f"  all six are up, seen by Prometheus after {seconds:.0f} s"))

    # ---- 3 ----

    def die(self):
        screen, node = self.screen, self.lab.nodes[DOOMED]
        screen.title(f"A version with a mistake goes out to {DOOMED}")
        screen.command(f"c-node --name {DOOMED} … --die null")
        node.deploy("--die", "null", "--after-ms", str(DIE_AFTER_MS))
        screen.wait(f"until {DOOMED} dereferences a null pointer", node.death, 20 + DIE_AFTER_MS / 1000)
        self.death = node.death()
        self.moment(0, f"{DOOMED} dies {self.death.said()}; a supervisor will start it again in {RESTART_SECONDS:.0f} s")

    def moment(self, seconds, text):
        self.screen.line(f"  {self.screen.paint('1', f'{seconds:5.1f} s')}  {text}")

    # ---- 4 ----

    def told(self):
        """Each thing is said when it is seen; its time is that of who did it."""
        lab, node, died = self.lab, self.lab.nodes[DOOMED], self.death.ended
        told = lambda: lab.webhook.find(lambda it: it.is_firing and self.is_told(it))
        steps = [
            ("its report is on disk", lambda: time.time() if lab.reports(DOOMED) else None),
            ("it runs again", lambda: node.began if node.began > died else None),
            ("Prometheus scrapes its monitor and sees the death", self.scraped),
            (f"the rule {ALERT} fires", self.fired),
            ("Alertmanager tells the webhook", lambda: getattr(told(), "at", None)),
        ]
        until = time.time() + TOLD_SECONDS
        while steps:
            for step in [step for step in steps if step[1]()]:
                steps.remove(step)
                self.moment(max(step[1]() - died, 0), step[0])
            if time.time() > until:
                raise LabError(f"after {TOLD_SECONDS} s still missing: {', '.join(text for text, _ in steps)}")
            if steps:
                self.screen.progress(time.time() - died, f"until this: {steps[0][0]}")
            time.sleep(0.1)
        self.screen.clear()
        self.alert = told()
        self.seconds = self.alert.at - died
        self.screen.title("What the webhook got")
        self.screen.indented(card(self.alert, self.screen.colour))
        self.screen.line(f"\n  {self.screen.paint('1', f'told {self.seconds:.1f} s after the death')}")
        self.runbook()

    def runbook(self):
        """Its first section. The fleet names no address for runbooks, so links lead into what was rendered."""
        path = self.rendered / self.alert.annotations.get("runbook_url", "")
        if not path.is_file():
            raise LabError(f"the alert has no runbook: {path}")
        self.screen.line()
        self.screen.command(f"less {path.relative_to(self.lab.folder)}")
        head, *sections = path.read_text().strip().split("\n## ")
        shown = [section for section in sections if section.startswith(RUNBOOK_SECTIONS)]
        others = [section.splitlines()[0] for section in sections if section not in shown]
        self.screen.indented("\n\n## ".join([head.rstrip(), *[section.rstrip() for section in shown]]))
        self.screen.line(self.screen.paint("2", f"  and {', '.join(others)}"))

    def scraped(self):
        series = f'lifeboat_deaths_total{{fleet="{FLEET}",node="{DOOMED}",cause="signal"}}'
        return next((at for at, value in self.lab.samples(series) if value > 0), None)

    def fired(self):
        series = f'ALERTS{{alertname="{ALERT}",fleet="{FLEET}",node="{DOOMED}",alertstate="firing"}}'
        return next((at for at, _ in self.lab.samples(series)), None)

    def is_told(self, told):
        return told.is_about(alertname=ALERT, fleet=FLEET, node=DOOMED)

    # ---- 5 ----

    def report(self):
        screen, lab = self.screen, self.lab
        screen.title("And why")
        screen.command(f"lifeboat show latest    # on {DOOMED}")
        said = lab.lifeboat("show", "latest", "--state-dir", lab.folder / "state" / DOOMED)
        screen.indented(brief(said))
        screen.line(screen.paint("2", "  and threads, breadcrumbs, metrics, tags, contexts"))

    # ---- 6 ----

    def after(self):
        screen, lab = self.screen, self.lab
        screen.title("Since then")
        up = f'lifeboat_node_up{{node="{DOOMED}"}} == 1 and lifeboat_restarts_total{{node="{DOOMED}"}} > 0'
        screen.wait(f"until Prometheus has seen {DOOMED} up again", lambda: lab.number(up), UP_SECONDS)
        restarts = lab.number(f'lifeboat_restarts_total{{node="{DOOMED}"}}')
        screen.line(f"  {DOOMED} is up again; lifeboat_restarts_total {restarts:.0f}")
        if self.accelerate == 1:
            screen.line("  the alert clears by itself a quarter of an hour after the death; with --fast the demo waits for that")
        else:
            cleared = lambda: lab.webhook.find(lambda it: not it.is_firing and self.is_told(it))
            screen.wait("until the alert clears", cleared, CLEAR_SECONDS)
            told = cleared()
            screen.line(f"  the alert has cleared: the webhook was told {told.at - self.death.ended:.0f} s after the death")
        # Where all intervals are short, Prometheus takes some of them to find its targets, and misses these meanwhile.
        later = [told for told in lab.webhook.told if told.is_firing and told.since >= self.death.ended]
        others = {told.name for told in later} - {ALERT, "Watchdog"}
        screen.line(f"  other alerts: {', '.join(sorted(others)) or 'none'}")
        return 0


def brief(text):
    """Head and stack of what `lifeboat show` says."""
    for heading in ["OTHER THREADS", "BREADCRUMBS", "TAGS"]:
        text = text.split(f"\n{heading}")[0]
    return text.rstrip()


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo --fleet")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--dist", type=Path, required=True)
    parser.add_argument("--engines", type=Path, required=True)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--only-c", action="store_true")
    arguments = parser.parse_args()
    end_by_signals()
    screen = Screen()
    demo = Demo(arguments, screen)
    try:
        return demo.run()
    except LabError as error:
        screen.line()
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        demo.lab.close()


if __name__ == "__main__":
    sys.exit(main())
