#!/usr/bin/env python3
"""Takes what Alertmanager tells a webhook, and prints it: a look at alerts without an account anywhere.

    scripts/webhook.py [--port 9095] [--json]

With --json one alert a line, as Alertmanager says it. Runs until it is interrupted.
"""

import argparse
import json
import os
import sys
import textwrap
import re
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
BODY_BYTES_MAX = 4 << 20
WIDTH = 96
COLOURS = {"P0": "1;31", "P1": "31", "P2": "33", "P3": "36"}
ABOUT_ITSELF = {"alertname", "severity", "owner", "monitor"}
ABOUT_THE_NODE = ["fleet", "dc", "node", "role", "module", "cause"]
LINKS = {"runbook_url": "runbook", "dashboard_url": "dashboard", "logs_url": "logs"}


@dataclass
class Told:
    """One alert, and when it came, in seconds since 1970."""

    at: float
    alert: dict

    @property
    def labels(self):
        return self.alert.get("labels", {})

    @property
    def annotations(self):
        return self.alert.get("annotations", {})

    @property
    def is_firing(self):
        return self.alert.get("status") == "firing"

    @property
    def since(self):
        """When it began to fire, in seconds since 1970."""
        began = re.sub(r"(\.\d{1,6})\d*", r"\1", self.alert.get("startsAt", "")).replace("Z", "+00:00")
        try:
            return datetime.fromisoformat(began).timestamp()
        except ValueError:
            return self.at

    @property
    def name(self):
        return self.labels.get("alertname", "")

    def is_about(self, **labels):
        return all(self.labels.get(name) == value for name, value in labels.items())


class Webhook:
    """Listens as soon as it is made. What came can be waited for."""

    def __init__(self, port=0, on_alert=None):
        self.told = []
        self.changed = threading.Condition()
        self.on_alert = on_alert
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            # A client that says nothing holds a thread no longer than this.
            timeout = 10

            def do_POST(self):
                webhook.take(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((HOST, port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://{HOST}:{self.port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request):
        at = time.time()
        try:
            length = min(int(request.headers.get("Content-Length", 0)), BODY_BYTES_MAX)
            document = json.loads(request.rfile.read(length))
            alerts = [Told(at, alert) for alert in document["alerts"] if isinstance(alert, dict)]
        except (ValueError, KeyError, TypeError):
            request.send_error(400, "no alerts")
            return
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()
        with self.changed:
            self.told.extend(alerts)
            self.changed.notify_all()
        if self.on_alert:
            for told in alerts:
                self.on_alert(told)

    def find(self, is_it):
        with self.changed:
            return next((told for told in self.told if is_it(told)), None)

    def wait(self, is_it, seconds):
        """The first alert of which that is so; None where none comes in time."""
        until = time.monotonic() + seconds
        with self.changed:
            while True:
                found = next((told for told in self.told if is_it(told)), None)
                left = until - time.monotonic()
                if found or left <= 0:
                    return found
                self.changed.wait(left)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def has_colour(stream):
    return stream.isatty() and not os.environ.get("NO_COLOR")


def card(told, colour=False):
    """What somebody reads who is told."""

    def paint(code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if colour else text

    severity = told.labels.get("severity", "")
    state = "firing" if told.is_firing else "resolved"
    mark = paint(COLOURS.get(severity, "1") if told.is_firing else "32", f"{severity:<4}{told.name}")
    lines = [f"{mark}  {paint('2', state)}"]
    if told.annotations.get("summary"):
        lines.append(paint("1", one_line(told.annotations["summary"])))
    if told.is_firing and told.annotations.get("description"):
        lines += textwrap.wrap(one_line(told.annotations["description"]), WIDTH)
    rows = [("owner", told.labels.get("owner", ""))]
    rows += [(name, told.labels.get(name, "")) for name in ABOUT_THE_NODE]
    rows += [(name, value) for name, value in sorted(told.labels.items())
             if name not in ABOUT_ITSELF and name not in ABOUT_THE_NODE]
    rows += [(title, told.annotations.get(name, "")) for name, title in LINKS.items()]
    lines += [f"{paint('2', f'{name:<10}')} {one_line(value)}" for name, value in rows if value]
    return "\n".join(lines)


def one_line(text):
    """A label may hold anything, also what moves a terminal's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9095)
    parser.add_argument("--json", action="store_true", help="one alert a line, as Alertmanager says it")
    arguments = parser.parse_args()

    def show(told):
        if arguments.json:
            print(json.dumps(told.alert), flush=True)
        else:
            print(f"{time.strftime('%H:%M:%S')}  {card(told, has_colour(sys.stdout))}\n", flush=True)

    try:
        webhook = Webhook(arguments.port, show)
    except OSError as error:
        sys.exit(f"webhook: cannot listen on {HOST}:{arguments.port}: {error.strerror}; name another with --port")
    print(f"listening on {webhook.url}", file=sys.stderr, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        webhook.close()


if __name__ == "__main__":
    main()
