"""A fleet on the loopback with the engines that watch it: nodes that a supervisor restarts, Prometheus, Alertmanager and a
webhook, all in one folder. Who uses it says what happens to the nodes; scripts/fleet_demo.py and scripts/fleet_drill.py do."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from webhook import HOST

STOP_SECONDS = 5
READY_SECONDS = 60
# Rules' tests are rendered, too: for many fleets with all alerts, by a debug build, that takes its time.
COMMAND_SECONDS = 300
RESTART_SECONDS = 2.0
NAP = 0.05
# No proxy stands between us and the loopback, whatever the environment says.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# What a person at this machine has set for nodes of their own must not reach these.
FOREIGN = ("LIFEBOAT", "SENTRY_", "RUST_BACKTRACE")


def end_by_signals():
    """Ctrl-C and SIGTERM end the program once, and nothing disturbs its clearing up. A shell's background ignores Ctrl-C."""
    def end(number, _):
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, end)


class LabError(Exception):
    """What keeps the lab from doing its work, in one sentence."""


@dataclass
class Life:
    """One process of a node, from its start to its end, in seconds since 1970."""

    began: float
    ended: float
    status: int
    was_asked: bool

    def said(self):
        """How it ended, as one says it."""
        return f"by {signal.Signals(-self.status).name}" if self.status < 0 else f"with status {self.status}"


class Node(threading.Thread):
    """A node and its supervisor, `restart: always`: what ends is started again after a while."""

    def __init__(self, lab, name, command, environment):
        super().__init__(name=name, daemon=True)
        self.lab, self.command, self.environment = lab, command, environment
        self.state_dir = lab.folder / "state" / name
        self.once = []
        self.lives = []
        self.began = 0.0
        self.process = None
        self.is_asked = False
        self.changed = threading.Condition()
        self.closing = threading.Event()

    def run(self):
        while not self.closing.is_set():
            with self.changed:
                command, self.once = self.command + self.once, []
                self.process = self.lab.spawn(self.name, command, self.environment)
                self.began, self.is_asked = time.time(), False
                self.changed.notify_all()
            status = self.process.wait()
            with self.changed:
                self.lives.append(Life(self.began, time.time(), status, self.is_asked))
                self.began = 0.0
                self.changed.notify_all()
                was_asked = self.is_asked
            if not was_asked:
                self.closing.wait(RESTART_SECONDS)

    def deploy(self, *arguments):
        """Ends the node as a deploy does, and starts it with these arguments more, for one life."""
        with self.changed:
            self.once, self.is_asked = list(arguments), True
            before = len(self.lives)
            self.process.terminate()
        self.wait(lambda: len(self.lives) > before and self.began, STOP_SECONDS * 2)

    def wait(self, is_so, seconds):
        """Whether it became so in time."""
        with self.changed:
            return self.changed.wait_for(is_so, seconds)

    def death(self):
        """The last end that nobody asked for."""
        return next((life for life in reversed(self.lives) if not life.was_asked), None)

    def close(self):
        self.closing.set()
        if self.process and self.process.poll() is None:
            with self.changed:
                self.is_asked = True
            self.process.terminate()


class Lab:
    """One folder with all of it. `close` ends every process that it started, and those that they started."""

    def __init__(self, folder, dist, engines):
        self.folder, self.engines = Path(folder), Path(engines)
        self.nodes = {}
        self.children = []
        self.webhook = None
        self.prometheus_url = self.alertmanager_url = None
        for name in [".", "log", "state"]:
            (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        # A loader refuses what others could write; and what runs from here is known to be ours.
        self.dist = self.folder / "dist"
        if not self.dist.exists():
            os.umask(0o022)
            shutil.copytree(dist, self.dist, symlinks=True)

    # ---- processes ----

    def spawn(self, name, command, environment=None):
        """Starts a program that ends with us, whatever ends us. What it says is in log/NAME."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        with open(self.folder / "log" / name, "ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *map(str, command)], env=clean | (environment or {}),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )

    def node(self, name, command, port, fleet, tags="", more=None):
        """A node whose monitor serves at this port, from now on."""
        environment = {
            "LIFEBOAT_REPORTER": str(self.dist / "lib/liblifeboat_reporter.so"),
            "LIFEBOAT_STATE_DIR": str(self.folder / "state" / name),
            "LIFEBOAT_METRICS": f"{HOST}:{port}",
            "LIFEBOAT_FLEET": fleet,
            "LIFEBOAT_NODE": name,
            "SENTRY_ENVIRONMENT": "test",
        }
        if tags:
            environment["LIFEBOAT_TAGS"] = tags
        node = self.nodes[name] = Node(self, name, command, environment | (more or {}))
        node.start()
        return node

    def lifeboat(self, *arguments):
        """The command's output; what it complains of is raised."""
        done = subprocess.run([self.dist / "bin/lifeboat", *map(str, arguments)], capture_output=True, text=True,
                              cwd=self.folder, timeout=COMMAND_SECONDS)
        if done.returncode != 0:
            raise LabError(f"lifeboat {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def reports(self, node):
        """What is in a node's spool, the newest first."""
        spool = self.folder / "state" / node
        done = subprocess.run([self.dist / "bin/lifeboat", "reports", "--json", "--state-dir", spool],
                              capture_output=True, text=True, timeout=READY_SECONDS)
        return [json.loads(line) for line in done.stdout.splitlines()]

    # ---- engines ----

    def start_engines(self, rendered):
        """Prometheus and Alertmanager with what was rendered, at the addresses that were chosen for them."""
        prometheus, alertmanager = self.prometheus_url, self.alertmanager_url
        self.children.append(self.spawn("alertmanager", [
            self.engines / "alertmanager", f"--config.file={rendered / 'alertmanager/alertmanager.yml'}",
            f"--storage.path={self.folder / 'alertmanager-data'}", "--cluster.listen-address=",
            f"--web.listen-address={alertmanager.removeprefix('http://')}",
        ]))
        self.children.append(self.spawn("prometheus", [
            self.engines / "prometheus", f"--config.file={rendered / 'prometheus/prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'prometheus-data'}",
            f"--web.listen-address={prometheus.removeprefix('http://')}",
        ]))
        for name, url in [("alertmanager", alertmanager), ("prometheus", prometheus)]:
            child = self.children[-2 if name == "alertmanager" else -1]
            if not wait_until(lambda: child.poll() is not None or get(f"{url}/-/ready") is not None, READY_SECONDS) \
                    or child.poll() is not None:
                raise LabError(f"{name} does not start: {self.last_words(name)}")

    def last_words(self, name):
        lines = (self.folder / "log" / name).read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-5:])

    def versions(self):
        """`Prometheus 3.5.3, Alertmanager 0.33.1`."""
        found = []
        for name in ["prometheus", "alertmanager"]:
            said = subprocess.run([self.engines / name, "--version"], capture_output=True, text=True, timeout=READY_SECONDS)
            words = (said.stdout + said.stderr).split()
            found.append(f"{name.capitalize()} {words[2].split('+')[0] if len(words) > 2 else ''}".strip())
        return ", ".join(found)

    def query(self, expression):
        """What Prometheus answers: labels, value. None where it does not answer."""
        answer = get(f"{self.prometheus_url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        if answer is None:
            return None
        result = json.loads(answer)["data"]["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in result]

    def samples(self, series, window="5m"):
        """What Prometheus took of one series, as times and values; a rule's result has the time of its evaluation."""
        answer = get(f"{self.prometheus_url}/api/v1/query?{urllib.parse.urlencode({'query': f'{series}[{window}]'})}")
        found = json.loads(answer)["data"]["result"] if answer else []
        return [(at, float(value)) for at, value in found[0]["values"]] if found else []

    def number(self, expression):
        """The one number that Prometheus answers."""
        result = self.query(expression)
        return result[0][1] if result else None

    # ---- the end ----

    def close(self):
        """Nodes first, then who watches them, then the monitors that stay to tell of a death."""
        for node in self.nodes.values():
            node.close()
        for child in self.children:
            child.terminate()
        until = time.monotonic() + STOP_SECONDS
        processes = [node.process for node in self.nodes.values() if node.process] + self.children
        for process in processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for node in self.nodes.values():
            node.join(STOP_SECONDS)
        for number in [signal.SIGTERM, signal.SIGKILL]:
            wait_until(lambda: not self.left(number), STOP_SECONDS / 2)
        if self.webhook:
            self.webhook.close()

    def left(self, number):
        """Processes that run a program of this folder; each is sent the signal."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                descriptor = os.pidfd_open(int(entry.name)) if entry.name.isdigit() else None
            except OSError:
                continue
            if descriptor is None:
                continue
            try:
                # Asked while the descriptor holds the process: its number cannot be another's now.
                if Path(os.readlink(entry / "exe")).is_relative_to(self.folder):
                    signal.pidfd_send_signal(descriptor, number)
                    found.append(int(entry.name))
            except OSError:
                pass
            finally:
                os.close(descriptor)
        return found


def wait_until(is_so, seconds, nap=NAP):
    """Whether it became so in time, where nothing tells."""
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() >= until:
            return False
        time.sleep(nap)
    return True


def get(url):
    """The page's bytes; None where nobody answers, or with an error."""
    try:
        with OPENER.open(url, timeout=5) as answer:
            return answer.read()
    except (OSError, urllib.error.URLError):
        return None


def free_ports(count):
    """Ports that nobody has now: all of them are held until the last is found, so that none comes twice."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()
