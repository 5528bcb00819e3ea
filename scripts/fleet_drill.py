"""How soon somebody is told: faults are made in real and in simulated nodes, at the intervals that are shipped, and the time
from each fault to the webhook is taken. scripts/drill builds the programs and runs this.
"""

import argparse
import itertools
import json
import os
import platform
import random
import re
import statistics
import sys
import threading
import time
import tomllib
import urllib.error
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from fleet_lab import HOST, OPENER, Lab, LabError, end_by_signals, free_ports, get, wait_until
from fleet_screen import Screen
from webhook import Webhook

NODES, LOGOS, MANY = "drill.nodes", "drill.logos", "drill.simulated"
PROFILES = '["logos-delivery", "logos-core-modules", "cluster"]'
CATALOGUE = Path(__file__).parent.parent / "crates/fleet/catalogue/alerts"
# What no simulated node falls ill with.
ELSEWHERE = {
    "NodeDied": "real nodes do",
    "NodeHung": "a real node does",
    "ModuleDied": "real modules do",
    "Watchdog": "it fires while all is well",
    "AlertDeliveryFailing": "it is about Alertmanager itself",
    "NodesTooFew": "it is about Consul",
    "HealthScoreLow": "where a node does not answer, NodeUnreachable is told in its place",
}
# An alert that watches hours needs hours: the tests of rules have those.
TREND_SECONDS = 600
# Name, program, how it dies, as the table says it.
DEATHS = [
    ("amsterdam", "c-node", "null", "C: a null pointer is dereferenced"),
    ("bremen", "rust-node", "panic-main", "Rust: a panic"),
    ("calais", "nim-node", "defect-thread", "Nim: a Defect in a thread"),
    ("dover", "c-node", "exit", "C: exit(1) after last words"),
    ("emden", "rust-node", "null", "Rust: a null pointer is dereferenced"),
    ("flushing", "nim-node", "quit", "Nim: quit, after a line of log"),
]
HUNG = ("goes", "c-node", "hang", "C: a loop that never ends")
MODULES = ["delivery_module", "storage_module"]
UP_SECONDS = 120
# So long all is well before the first fault: windows of rates are full, and what fires at a start has cleared.
WELL_SECONDS = 150
# Within a scrape and an evaluation a fault may come at any moment, and so it does.
PHASE_SECONDS = 15.0
BETWEEN_DEATHS_SECONDS = 10.0
TOLD_SECONDS = 330
BUDGET_SECONDS = 300
DEATH_SECONDS = 60


@dataclass
class Fault:
    """Something that happens to a node, and the alert that tells of it."""

    alert: str
    what: str
    about: dict
    make: Callable[[], float]
    after: float = 0.0
    at: float = 0.0
    told: object = None
    said: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds(self):
        return self.told.at - self.at if self.told and self.at else None

    def run(self, webhook, closing):
        """Makes it, and waits for who tells of it."""
        try:
            if closing.wait(self.after):
                return
            before = time.time()
            self.at = self.make()
            is_it = lambda told: told.at > before and told.is_firing and told.is_about(alertname=self.alert, **self.about)
            self.told = webhook.wait(is_it, TOLD_SECONDS)
        except LabError as error:
            self.said = str(error)
        finally:
            self.done.set()


@dataclass
class Patient:
    """A simulated node, or a whole fleet of them, that falls ill with one alert."""

    alert: str
    fleet: str
    node: str
    is_of_fleet: bool
    is_everywhere: bool
    is_lost: bool

    @property
    def nodes(self):
        return f"{self.fleet}/{'*' if self.is_everywhere else self.node}"

    def about(self):
        return {"fleet": self.fleet} if self.is_of_fleet else {"fleet": self.fleet, "node": self.node}


def patients():
    """One for each alert of the catalogue that a simulated node can be ill with within minutes."""
    for path in sorted(CATALOGUE.glob("*.toml")):
        for alert in tomllib.loads(path.read_text())["alert"]:
            name, test = alert["name"], alert.get("test", {})
            if name in ELSEWHERE or seconds_of(test.get("holds_after", "0s")) > TREND_SECONDS:
                continue
            is_of_fleet, is_everywhere = alert.get("scope", "node") != "node", test.get("everywhere", False)
            is_lost = any(gone == "*" or gone.startswith("job:") for gone in test.get("absent", []))
            fleet = f"drill.{name.lower()}" if is_of_fleet or is_everywhere else MANY
            yield Patient(name, fleet, name.lower(), is_of_fleet, is_everywhere, is_lost)


def seconds_of(text):
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|[smhd])", text))


class Drill:
    """All faults at once, each at a node of its own."""

    def __init__(self, arguments, screen):
        self.screen, self.arguments = screen, arguments
        self.lab = Lab(arguments.folder.resolve(), arguments.dist, arguments.engines)
        self.programs, self.incident = arguments.programs.resolve(), arguments.incident.resolve()
        self.rendered = self.lab.folder / "rendered"
        self.real = [name for name, *_ in DEATHS] + [HUNG[0]]
        self.patients = [patient for patient in patients() if not arguments.alert or patient.alert in arguments.alert]
        # Simulated nodes have addresses of their own, and on them the ports that real ones have.
        self.block = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"
        ports = free_ports(2 * len(self.real) + 5)
        self.metrics, self.talk = dict(zip(self.real, ports)), dict(zip(self.real, ports[len(self.real):]))
        self.logos_port, self.control_port, self.blackbox_port, prometheus, alertmanager = ports[-5:]
        self.lab.prometheus_url, self.lab.alertmanager_url = f"http://{HOST}:{prometheus}", f"http://{HOST}:{alertmanager}"
        self.lab.webhook = Webhook()
        self.closing = threading.Event()

    def run(self):
        self.prepare()
        faults = [fault for fault in self.faults() if not self.arguments.alert or fault.alert in self.arguments.alert]
        if not faults:
            raise LabError(f"no fault is known for {', '.join(self.arguments.alert)}")
        self.make_all(faults)
        return self.tell(faults)

    # ---- the fleet ----

    def prepare(self):
        screen, lab = self.screen, self.lab
        screen.title(f"A fleet with the intervals that are shipped; {lab.versions()}; a webhook")
        (lab.folder / "fleet.toml").write_text(self.inventory())
        said = screen.during("rendering", lab.lifeboat, "fleet", "render", "fleet.toml", "--out", self.rendered)
        screen.line(f"  {len(self.real) + 1} real nodes, {self.simulated} simulated; {said.strip().splitlines()[-1]}")
        for name, program, *_ in [*DEATHS, HUNG]:
            others = [peer for other, port in self.talk.items() if other != name for peer in ("--peer", f"{HOST}:{port}")]
            command = [self.programs / program, "--name", name, "--listen", f"{HOST}:{self.talk[name]}", "--every-ms", "1000",
                       *others[:4]]
            lab.node(name, command, self.metrics[name], NODES)
        self.start_logos()
        self.start_simulation()
        lab.start_engines(self.rendered)
        screen.wait("until Prometheus has seen all of them up", lambda: not self.missing(), UP_SECONDS)
        screen.wait(f"{WELL_SECONDS} s in which all is well", passed(WELL_SECONDS), WELL_SECONDS + 5)
        early = sorted({f"{told.name} {told.labels.get('node', '')}".strip() for told in lab.webhook.told
                        if told.is_firing and told.name != "Watchdog"})
        screen.line(f"  told while all was well: {', '.join(early) or 'nothing'}")

    def missing(self):
        up = {labels["node"] for labels, _ in self.lab.query("lifeboat_node_up == 1") or []}
        return {*self.real, "host-01"} - up or self.lab.query("up{fleet!=''} == 0 or probe_success == 0")

    def inventory(self):
        host_of = lambda url: url.removeprefix("http://")
        lines = [
            f'prometheus = {{ address = "{host_of(self.lab.prometheus_url)}" }}',
            f'alertmanager = {{ address = "{host_of(self.lab.alertmanager_url)}" }}',
            f'[[destination]]\ntype = "webhook"\nurl = "{self.lab.webhook.url}"',
            f'[[fleet]]\nname = "{NODES}"\nprofile = "lifeboat"\nnode = [',
            *[f'    {{ name = "{name}", address = "{HOST}", endpoints = {{ lifeboat = {port} }} }},'
              for name, port in self.metrics.items()],
            "]",
            f'[[fleet]]\nname = "{LOGOS}"\nprofile = "logos-core-modules"',
            f'node = [{{ name = "host-01", address = "{HOST}", endpoints = {{ lifeboat = {self.logos_port} }} }}]',
        ]
        exporters = f'[exporters]\nblackbox = "{HOST}:{self.blackbox_port}"'
        simulated = "\n".join([exporters, *self.simulated_fleets(), ""])
        # The simulation answers for these alone.
        (self.lab.folder / "fleet-simulated.toml").write_text(simulated)
        return "\n".join(lines) + "\n" + simulated

    def simulated_fleets(self):
        """A node for each alert of a node, in one fleet, with two that stay well; a fleet for each of a whole fleet."""
        fleets = {}
        for patient in self.patients:
            fleets.setdefault(patient.fleet, []).append(patient.node)
        addresses = (f"{self.block}.{number}" for number in itertools.count(1))
        self.simulated = 0
        for fleet, nodes in fleets.items():
            yield f'[[fleet]]\nname = "{fleet}"\nprofile = {PROFILES}\nversion = "v0.39.0"'
            yield "endpoints = { tls = true, rest = true, postgres = true }\nnode = ["
            for node in [*nodes, "well-1", "well-2"]:
                self.simulated += 1
                yield f'    {{ name = "{node}", dc = "dc-1", address = "{next(addresses)}" }},'
            yield "]"

    def start_simulation(self):
        if not self.patients:
            return
        self.lab.children.append(self.lab.spawn("simulate", [
            self.lab.dist / "bin/lifeboat", "fleet", "simulate", "fleet-simulated.toml", "--blackbox",
            "--control", f"{HOST}:{self.control_port}",
        ]))
        if not wait_until(lambda: get(f"http://{HOST}:{self.control_port}/") is not None, 30):
            raise LabError(f"the simulation does not start: {self.lab.last_words('simulate')}")

    def command(self, line):
        """Tells the simulation what to do."""
        try:
            with OPENER.open(f"http://{HOST}:{self.control_port}/", line.encode(), timeout=10):
                pass
        except urllib.error.HTTPError as error:
            raise LabError(f"the simulation does not know how to: {error.read().decode().strip()}") from error
        except OSError as error:
            raise LabError(f"the simulation does not answer: {error}") from error

    def start_logos(self):
        """The host of issue 4064, with its two modules, each told what to do by a pipe."""
        folders = [self.incident / name for name in MODULES]
        for folder in [self.incident, *folders]:
            (folder / "commands").unlink(missing_ok=True)
            os.mkfifo(folder / "commands", 0o600)
        more = {"LOGOS_HOST_PATH": str(self.incident / "logos_host_qt"), "LIFEBOAT_MODULES": "on", "LIFEBOAT_SHARED": "1"}
        self.lab.node("host-01", [self.incident / "host", self.incident / "commands", *folders], self.logos_port, LOGOS,
                      more=more)

    # ---- the faults ----

    def faults(self):
        phase = random.Random(self.arguments.seed)
        for number, (name, _, how, what) in enumerate(DEATHS):
            after = number * BETWEEN_DEATHS_SECONDS + phase.uniform(0, PHASE_SECONDS)
            yield Fault("NodeDied", what, {"fleet": NODES, "node": name}, self.death_of(name, how), after)
        name, _, how, what = HUNG
        yield Fault("NodeHung", what, {"fleet": NODES, "node": name}, self.hang_of(name, how), phase.uniform(0, PHASE_SECONDS))
        for module in MODULES:
            what = f"Nim: an IndexDefect in {module}, whose host lives on"
            yield Fault("ModuleDied", what, {"fleet": LOGOS, "node": "host-01", "module": module}, self.break_of(module),
                        phase.uniform(0, PHASE_SECONDS))

        for patient in self.patients:
            yield Fault(patient.alert, "simulated", patient.about(), self.illness_of(patient), phase.uniform(0, PHASE_SECONDS))

    def illness_of(self, patient):
        def make():
            if patient.is_lost:
                self.lose(patient)
            else:
                self.command(f"sick {patient.nodes} {patient.alert}")
            return time.time()
        return make

    def lose(self, patient):
        """Out of every list of targets, as a discovery does that has lost the node."""
        for path in (self.rendered / "prometheus/targets").glob("*.json"):
            targets = json.loads(path.read_text())
            kept = [it for it in targets if (it["labels"]["fleet"], it["labels"]["node"]) != (patient.fleet, patient.node)]
            path.with_suffix(".new").write_text(json.dumps(kept))
            path.with_suffix(".new").replace(path)

    def death_of(self, name, how):
        def make():
            node = self.lab.nodes[name]
            node.deploy("--die", how, "--after-ms", "1000")
            if not node.wait(node.death, 30):
                raise LabError(f"{name} did not die")
            return node.death().ended
        return make

    def hang_of(self, name, how):
        def make():
            node = self.lab.nodes[name]
            node.deploy("--die", how, "--after-ms", "1000")
            return node.began + 1.0
        return make

    def break_of(self, module):
        def make():
            with open(self.incident / module / "commands", "w") as pipe:
                pipe.write("break\n")
            return time.time()
        return make

    # ---- what comes ----

    def make_all(self, faults):
        screen, begin = self.screen, time.monotonic()
        screen.title("Faults, and after how many seconds the webhook was told")
        for fault in faults:
            threading.Thread(target=fault.run, args=(self.lab.webhook, self.closing), daemon=True).start()
        waiting = list(faults)
        while waiting:
            for fault in [fault for fault in waiting if fault.done.is_set()]:
                waiting.remove(fault)
                self.say(fault)
            names = ", ".join(sorted({fault.alert for fault in waiting}))
            screen.progress(time.monotonic() - begin, f"{len(faults) - len(waiting)} of {len(faults)} told; waiting for {names}")
            time.sleep(0.2)
        screen.clear()

    def say(self, fault):
        where = fault.about.get("module") or fault.about.get("node") or fault.about["fleet"]
        if fault.seconds is None:
            said = fault.said or f"not told within {TOLD_SECONDS} s"
            self.screen.line(f"  {self.screen.paint('31', '   –   ')}  {fault.alert:<22} {where}: {said}")
        else:
            self.screen.line(f"  {self.screen.paint('1', f'{fault.seconds:5.1f} s')}  {fault.alert:<22} {where}: {fault.what}")

    def tell(self, faults):
        table = rows(faults)
        self.screen.title("How soon")
        self.screen.line("\n".join(table))
        if self.arguments.write:
            write_section(self.arguments.write, table, self.lab.versions())
            self.screen.line(f"\nwritten into {self.arguments.write}")
        late = [fault for fault in faults if fault.seconds is None or fault.seconds > bound(fault.alert)]
        for fault in late:
            self.screen.line(f"late or not told: {fault.alert}, {fault.what}")
        return 1 if late else 0

    def close(self):
        self.closing.set()
        self.lab.close()


def bound(alert):
    return DEATH_SECONDS if alert in ("NodeDied", "ModuleDied") else BUDGET_SECONDS


def rows(faults):
    """A line for each alert, the slowest last."""
    lines = ["| alert | | fault | told after, seconds | bound |", "|---|---|---|---|---|"]
    groups = {}
    for fault in faults:
        groups.setdefault(fault.alert, []).append(fault)
    worst = lambda group: max((fault.seconds or float("inf") for fault in group))
    for alert, group in sorted(groups.items(), key=lambda item: worst(item[1])):
        seconds = [fault.seconds for fault in group if fault.seconds is not None]
        what = group[0].what if len(group) == 1 else f"{len(group)} times: " + "; ".join(fault.what for fault in group)
        severity = next((fault.told.labels.get("severity", "") for fault in group if fault.told), "")
        if len(seconds) < len(group):
            figure = "not told" if not seconds else f"{len(group) - len(seconds)} not told"
        elif len(seconds) > 2:
            figure = f"{min(seconds):.0f} / {statistics.median(seconds):.0f} / {max(seconds):.0f} (min / median / max)"
        else:
            figure = " and ".join(f"{each:.0f}" for each in sorted(seconds))
        lines.append(f"| `{alert}` | {severity} | {what} | {figure} | {bound(alert)} |")
    return lines


def machine():
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    return f"{os.cpu_count()} × {model[1] if model else platform.machine()}, Linux {platform.release()}"


BEGIN, END = "<!-- scripts/drill --write begins -->", "<!-- scripts/drill --write ends -->"


def write_section(path, table, versions):
    """What stands between two marks of the document."""
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise LabError(f"{path} has no lines {BEGIN} and {END}")
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    body = [BEGIN, f"{machine()}; {versions}; {time.strftime('%Y-%m-%d')}", "", *table, END]
    path.write_text(head + "\n".join(body) + tail)


def passed(seconds):
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


def main():
    parser = argparse.ArgumentParser(prog="scripts/drill")
    for name in ["folder", "programs", "incident", "dist", "engines"]:
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--alert", action="append", default=[])
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    end_by_signals()
    screen = Screen()
    drill = Drill(arguments, screen)
    try:
        return drill.run()
    except LabError as error:
        screen.line()
        print(f"drill: {error}", file=sys.stderr)
        return 1
    finally:
        drill.close()


if __name__ == "__main__":
    sys.exit(main())
