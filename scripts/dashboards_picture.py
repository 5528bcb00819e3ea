"""Draws Grafana dashboards from what a Prometheus answers: each panel's own queries, as SVG that is light or dark as its
reader's screen is. Not Grafana's looks; the same places, units, colours of states, thresholds and marks."""

import argparse
import html
import json
import math
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

COLUMN, ROW, GAP, MARGIN = 60, 30, 8, 20
WIDTH = 24 * COLUMN + 2 * MARGIN
POINTS = 144
SCRAPE = 60

STYLE = """
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
.mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 11px; }
.page { fill: var(--page); } .card { fill: var(--card); stroke: var(--edge); }
.title { font-weight: 600; font-size: 13px; } .head { font-weight: 700; font-size: 24px; }
.row { font-weight: 700; font-size: 14px; } .soft { fill: var(--soft); } .tiny { font-size: 10.5px; fill: var(--soft); }
.grid { stroke: var(--grid); } .zero { stroke: var(--soft); stroke-opacity: .5; } .line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.big { font-weight: 700; } .watch { fill: var(--soft); font-size: 10.5px; } .well { fill: var(--soft); font-style: italic; }
"""

THEMES = {
    "light": {"page": "#f3f4f6", "card": "#ffffff", "edge": "#d9dce2", "ink": "#1d2330", "soft": "#6b7280", "grid": "#e7e9ee"},
    "dark": {"page": "#0f1218", "card": "#181c25", "edge": "#2b313d", "ink": "#e3e6ec", "soft": "#8c94a3", "grid": "#262c37"},
}

LINES = ["#3b82c4", "#e08a2c", "#4aa564", "#b55fc0", "#c9a227", "#2fa3a3", "#d9657f", "#7d78d2", "#8a9a3b", "#a8724a", "#5f8bd9", "#cf6d3f"]
COLOURS = {"red": "#d6453d", "orange": "#e08a2c", "green": "#3f9d5b", "gray": "#8c94a3", "blue": "#3b82c4", "transparent": "#8c94a3"}


class Prometheus:
    """Queries at one moment of a past that does not change."""

    def __init__(self, address, end, chosen):
        self.address, self.end, self.chosen = address, end, chosen

    def substituted(self, text, seconds, step):
        """As Grafana does it: a rate looks over four scrapes at least, All is everything."""
        for name, value in {
            "$__rate_interval": f"{max(step + SCRAPE, 4 * SCRAPE)}s",
            "$__interval": f"{step}s",
            "$__range": f"{seconds}s",
        }.items():
            text = text.replace(name, value)
        for name in ("fleet", "dc", "node"):
            text = text.replace(f"${name}", self.chosen.get(name, ".*"))
        return text

    def ask(self, path, **parameters):
        body = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", body) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            sys.exit(f"{parameters['query']}\n{error.read().decode()}")

    def now(self, text, seconds):
        found = self.ask("query", query=self.substituted(text, seconds, SCRAPE), time=self.end)
        return [(one["metric"], float(one["value"][1])) for one in found]

    def over_time(self, text, seconds):
        step = max(SCRAPE, seconds // POINTS)
        query = self.substituted(text, seconds, step)
        found = self.ask("query_range", query=query, start=self.end - seconds, end=self.end, step=step)
        return [(one["metric"], [(float(at), float(value)) for at, value in one["values"]]) for one in found], step


def escaped(text):
    return html.escape(str(text), quote=True)


def legend(template, labels):
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found.group(1), ""), template)


def scaled(value, base, steps):
    size = abs(value)
    for factor, name in steps:
        if size >= factor * base:
            return value / factor, name
    return value, steps[-1][1]


def digits(value):
    if value == 0:
        return "0"
    size = abs(value)
    places = 0 if size >= 100 or float(value).is_integer() else 1 if size >= 10 else 2 if size >= 0.1 else 3
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def said(value, unit):
    """A figure in its unit, as a person says it."""
    if value is None or math.isnan(value):
        return "–"
    if unit == "percentunit":
        return f"{digits(value * 100)} %"
    if unit in ("bytes", "Bps"):
        steps = [(2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")]
        if unit == "Bps":
            steps = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")]
        number, name = scaled(value, 1, steps)
        return f"{digits(number)} {name}{'/s' if unit == 'Bps' else ''}"
    if unit == "s":
        number, name = scaled(value, 1, [(3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")]) if value else (0, "s")
        return f"{digits(number)} {name}"
    if unit == "dtdurations":
        number, name = scaled(value, 1, [(86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds")])
        return f"{number:.1f} {name}"
    if unit in ("mps", "cps", "reqps"):
        return digits(value) + {"mps": " msg/s", "cps": " /s", "reqps": " req/s"}[unit]
    number, name = scaled(value, 1, [(1e9, " G"), (1e6, " M"), (1e4, " k"), (1, "")]) if abs(value) >= 1e4 else (value, "")
    number = number * 10 if name == " k" and False else number
    return f"{digits(value / 1e3) + ' k' if name == ' k' else digits(number) + name}"


def colour_of(value, steps):
    colour = "green"
    for step in steps:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return COLOURS.get(colour, colour)


class Panel:
    def __init__(self, panel, prometheus, seconds, marks):
        self.panel, self.prometheus, self.seconds, self.marks = panel, prometheus, seconds, marks
        place = panel["gridPos"]
        self.width = place["w"] * COLUMN - GAP
        self.height = place["h"] * ROW + (place["h"] - 1) * 4 - GAP
        defaults = panel["fieldConfig"]["defaults"]
        self.unit, self.defaults = defaults["unit"], defaults
        self.steps = defaults["thresholds"]["steps"]
        self.own = {}
        for override in panel["fieldConfig"]["overrides"]:
            self.own.setdefault(override["matcher"]["options"], {}).update({one["id"]: one["value"] for one in override["properties"]})
        self.states = {value: state for mapping in defaults["mappings"] for value, state in mapping["options"].items()}

    def draw(self):
        body = {
            "timeseries": self.timeseries,
            "stat": self.stat,
            "bargauge": self.bargauge,
            "table": self.table,
            "state-timeline": self.timeline,
        }[self.panel["type"]]()
        title = escaped(self.panel["title"])
        about = escaped(self.panel["description"].split("\n")[0])
        alerts = [link["title"].split()[1:] for link in self.panel["links"] if link["title"].startswith("Alert ")]
        names = ", ".join(f"{name} {severity.strip('()')}" for name, severity in alerts)
        room = int((self.width - 40 - 7.4 * len(self.panel["title"])) / 6)
        if len(names) > room:
            names = f"{len(alerts)} alerts watch" if room > 14 else ""
        bell = f'<text class="watch" x="{self.width - 12}" y="20" text-anchor="end">{escaped(names)}</text>' if names else ""
        return (
            f'<g><title>{about}</title><rect class="card" width="{self.width}" height="{self.height}" rx="5"/>'
            f'<text class="title" x="12" y="21">{title}</text>{bell}{body}</g>'
        )

    def empty(self):
        words = "none" if self.panel["type"] in ("table", "bargauge") else "no data"
        return f'<text class="well" x="{self.width / 2}" y="{self.height / 2 + 8}" text-anchor="middle">{words}</text>'

    # Lines

    def timeseries(self):
        lines, right = [], None
        for target in self.panel["targets"]:
            own = self.own.get(target["refId"], {})
            found, step = self.prometheus.over_time(target["expr"], self.seconds)
            below = own.get("custom.transform") == "negative-Y"
            if own.get("custom.axisPlacement") == "right":
                right = own["unit"]
            for labels, points in sorted(found, key=lambda one: legend(target["legendFormat"], one[0])):
                values = [(at, -value if below else value) for at, value in points if not math.isnan(value)]
                if values:
                    is_limit = "custom.lineStyle" in own
                    lines.append((legend(target["legendFormat"], labels), values, own.get("custom.axisPlacement") == "right", is_limit))
        if not lines:
            return self.empty()
        has_bars = self.defaults["custom"]["drawStyle"] == "bars"
        names = max(1, min(len(lines), 8 if self.panel["gridPos"]["h"] >= 8 else 4))
        columns = 1 if self.width < 520 else 2
        legend_rows = min(math.ceil(len(lines) / columns), 4 if self.panel["gridPos"]["h"] >= 8 else 2)
        left, top = 66, 36
        area = (left, top, self.width - left - (60 if right else 16), self.height - top - 22 - legend_rows * 15)
        stacked = self.defaults["custom"]["stacking"]["mode"] == "normal" and not has_bars
        out = [self.axes(lines, area, right, stacked or has_bars)]
        out += self.curves(lines, area, right, stacked, has_bars, step)
        y = area[1] + area[3] + 32
        wide = (self.width - 24) / columns
        for place, (name, values, is_right, is_limit) in enumerate(lines[: legend_rows * columns]):
            x = 12 + (place % columns) * wide
            line = y + (place // columns) * 15
            more = len(lines) - legend_rows * columns
            if more > 0 and place == legend_rows * columns - 1:
                out.append(f'<text class="tiny" x="{x + 14}" y="{line}">and {more + 1} more</text>')
                break
            last = said(abs(values[-1][1]), right if is_right else self.unit)
            room = int((wide - 90) / 6)
            name = name if len(name) <= room else name[: room - 1] + "…"
            colour = COLOURS["red"] if is_limit else LINES[place % len(LINES)]
            out.append(
                f'<rect x="{x}" y="{line - 8}" width="9" height="9" rx="2" fill="{colour}"/>'
                f'<text class="tiny" x="{x + 14}" y="{line}">{escaped(name)}</text>'
                f'<text class="tiny" x="{x + wide - 14}" y="{line}" text-anchor="end">{escaped(last)}</text>'
            )
        return "".join(out)

    def span(self, lines, is_right, from_zero):
        if from_zero:
            sums = {}
            for _, values, on_right, is_limit in lines:
                for at, value in values:
                    if on_right == is_right and not is_limit:
                        sums[at] = sums.get(at, 0) + max(value, 0)
            low, high = 0, max(sums.values(), default=1)
        else:
            all_values = [value for _, values, on_right, _ in lines if on_right == is_right for _, value in values]
            low, high = min(all_values, default=0), max(all_values, default=1)
        if not is_right:
            low = min(low, self.defaults.get("min", low))
            high = max(high, self.defaults.get("max", high) if self.unit != "percentunit" or high > 0.3 else high)
            for step in self.steps:
                if step["value"] is not None and step["value"] <= max(high, 1e-9) * 3:
                    high = max(high, step["value"] * 1.1)
        else:
            low = min(low, 0)
        if "min" in self.defaults and low == 0:
            pass
        elif low > 0 and low < high * 0.5:
            low = 0
        if high <= low:
            high = low + (abs(low) or 1)
        return low, high

    def axes(self, lines, area, right, from_zero):
        x, y, width, height = area
        self.left = self.span(lines, False, from_zero)
        self.right = self.span(lines, True, False) if right else None
        has_left = any(not on_right for _, _, on_right, _ in lines)
        out = []
        ticks = 4 if height >= 110 else 2
        low, high = self.left
        marks = nice(low, high, ticks, self.unit, self.defaults.get("decimals") == 0)
        self.left = (min(low, marks[0]), max(high, marks[-1]))
        for mark in marks:
            at = y + height - (mark - self.left[0]) / (self.left[1] - self.left[0]) * height
            kind = "zero" if mark == 0 and self.left[0] < 0 else "grid"
            out.append(f'<path class="{kind}" d="M{x} {at:.1f}h{width}"/>')
            if has_left:
                out.append(f'<text class="tiny" x="{x - 6}" y="{at + 4:.1f}" text-anchor="end">{escaped(said(abs(mark), self.unit))}</text>')
        if right:
            low, high = self.right
            marks = nice(low, high, ticks, right)
            self.right = (min(low, marks[0]), max(high, marks[-1]))
            for mark in marks:
                at = y + height - (mark - self.right[0]) / (self.right[1] - self.right[0]) * height
                out.append(f'<text class="tiny" x="{x + width + 6}" y="{at + 4:.1f}">{escaped(said(mark, right))}</text>')
        out.append(self.hours(area))
        out.append(self.annotations(area))
        if self.defaults["custom"]["thresholdsStyle"]["mode"] != "off":
            for place, step in enumerate(self.steps):
                if step["value"] is None or not self.left[0] <= step["value"] <= self.left[1]:
                    continue
                colour = step["color"] if step["color"] != "transparent" else self.steps[place - 1]["color"]
                at = y + height - (step["value"] - self.left[0]) / (self.left[1] - self.left[0]) * height
                out.append(f'<path d="M{x} {at:.1f}h{width}" stroke="{COLOURS[colour]}" stroke-dasharray="7 5" stroke-width="1.3"/>')
        return "".join(out)

    def hours(self, area):
        x, y, width, height = area
        out = []
        end = self.prometheus.end
        every = 3600 * (1 if self.seconds <= 6 * 3600 else 2)
        every *= 2 if width < 420 else 1
        at = math.ceil((end - self.seconds) / every) * every
        while at <= end:
            place = x + (at - end + self.seconds) / self.seconds * width
            if x + 12 < place < x + width - 10:
                name = time.strftime("%H:%M", time.gmtime(at))
                out.append(f'<text class="tiny" x="{place:.1f}" y="{y + height + 15}" text-anchor="middle">{name}</text>')
            at += every
        return "".join(out)

    def annotations(self, area):
        x, y, width, height = area
        out = []
        for at, colour, words in self.marks:
            place = x + (at - self.prometheus.end + self.seconds) / self.seconds * width
            if x <= place <= x + width:
                out.append(
                    f'<g stroke="{COLOURS[colour]}" fill="{COLOURS[colour]}"><title>{escaped(words)}</title>'
                    f'<path d="M{place:.1f} {y}v{height}" stroke-dasharray="3 3" stroke-opacity=".75"/>'
                    f'<path d="M{place - 4:.1f} {y + height + 6}l4 -6l4 6z" stroke="none"/></g>'
                )
        return "".join(out)

    def curves(self, lines, area, right, stacked, has_bars, step):
        x, y, width, height = area
        start = self.prometheus.end - self.seconds
        out, base = [], {}
        for place, (name, values, is_right, is_limit) in enumerate(lines):
            low, high = self.right if is_right else self.left
            across = lambda at: x + (at - start) / self.seconds * width
            up = lambda value: y + height - (min(max(value, low), high) - low) / (high - low) * height
            colour = COLOURS["red"] if is_limit else LINES[place % len(LINES)]
            if has_bars:
                wide = max(step / self.seconds * width * 0.8, 1.5)
                bars = []
                for at, value in values:
                    if value > 0:
                        under = base.get(at, 0)
                        bars.append(f"M{across(at) - wide / 2:.1f} {up(under):.1f}V{up(under + value):.1f}h{wide:.1f}V{up(under):.1f}z")
                        base[at] = under + value
                if bars:
                    out.append(f'<path d="{"".join(bars)}" fill="{colour}"/>')
                continue
            if stacked:
                lower = [(at, base.get(at, 0)) for at, _ in values]
                values = [(at, value + base.get(at, 0)) for at, value in values]
                base.update(dict(values))
            for piece in pieces(values, step):
                points = thinned([(across(at), up(value)) for at, value in piece])
                path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
                if stacked:
                    back = thinned([(across(at), up(value)) for at, value in reversed(lower)])
                    out.append(f'<path d="{path}L{"L".join(f"{a:.1f} {b:.1f}" for a, b in back)}z" fill="{colour}" fill-opacity=".45"/>')
                if len(points) == 1:
                    out.append(f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2" fill="{colour}"/>')
                dash = ' stroke-dasharray="7 5"' if is_limit else ""
                out.append(f'<path class="line" d="{path}" stroke="{colour}"{dash}/>')
        return out

    # States over time

    def timeline(self):
        rows = []
        for target in self.panel["targets"]:
            found, step = self.prometheus.over_time(target["expr"], self.seconds)
            rows += [(legend(target["legendFormat"], labels), points) for labels, points in found]
        if not rows:
            return self.empty()
        rows.sort(key=lambda row: row[0])
        left = 12 + min(int(self.width * 0.38), 6.3 * max(len(name) for name, _ in rows))
        area = (left + 8, 36, self.width - left - 24, self.height - 36 - 26)
        x, y, width, height = area
        each = min(height / len(rows), 44)
        out = []
        start = self.prometheus.end - self.seconds
        for place, (name, points) in enumerate(rows):
            top = y + place * each
            room = int((left - 6) / 6.1)
            name = name if len(name) <= room else name[: room - 1] + "…"
            out.append(f'<text class="tiny" x="{left}" y="{top + each / 2 + 3:.1f}" text-anchor="end">{escaped(name)}</text>')
            for value, begin, end in runs(points, step):
                state = self.states.get(digits(value), {"text": said(value, self.unit), "color": "gray"})
                a = max(x + (begin - start) / self.seconds * width, x)
                b = min(x + (end - start) / self.seconds * width, x + width)
                out.append(
                    f'<rect x="{a:.1f}" y="{top + 2:.1f}" width="{max(b - a, 1.5):.1f}" height="{each - 4:.1f}" rx="2" '
                    f'fill="{COLOURS[state["color"]]}" fill-opacity=".85"><title>{escaped(state["text"])}</title></rect>'
                )
                if b - a > 8 * len(state["text"]) + 12 and each >= 15:
                    out.append(f'<text x="{a + 7:.1f}" y="{top + each / 2 + 4:.1f}" style="fill:#fff;font-size:11px">{escaped(state["text"])}</text>')
        used = (x, y, width, each * len(rows))
        return "".join(out) + self.hours(used) + self.annotations(used)

    # Figures of now

    def figures(self):
        found = []
        for target in self.panel["targets"]:
            for labels, value in self.prometheus.now(target["expr"], self.seconds):
                steps = self.own.get(target["refId"], {}).get("thresholds", {}).get("steps", self.steps)
                found.append((legend(target["legendFormat"], labels), value, colour_of(value, steps)))
        return found

    def stat(self):
        found = self.figures()
        if not found:
            return self.empty()
        wide = (self.width - 24) / len(found)
        out = []
        for place, (name, value, colour) in enumerate(found):
            middle = 12 + wide * (place + 0.5)
            size = min(46, self.height * 0.32)
            out.append(
                f'<text class="big" x="{middle}" y="{self.height * 0.62:.0f}" text-anchor="middle" '
                f'style="font-size:{size:.0f}px;fill:{colour}">{escaped(said(value, self.unit))}</text>'
                f'<text class="soft" x="{middle}" y="{self.height * 0.62 + 24:.0f}" text-anchor="middle">{escaped(name)}</text>'
            )
        return "".join(out)

    def bargauge(self):
        found = sorted(self.figures())
        if not found:
            return self.empty()
        high = max(self.defaults.get("max", 0), max(value for _, value, _ in found)) or 1
        each = min((self.height - 44) / len(found), 44)
        left = 12 + min(int(self.width * 0.42), 6.3 * max(len(name) for name, _, _ in found))
        out = []
        for place, (name, value, colour) in enumerate(found):
            top = 38 + place * each
            width = self.width - left - 110
            room = int((left - 6) / 6.1)
            name = name if len(name) <= room else name[: room - 1] + "…"
            out.append(
                f'<text class="tiny" x="{left}" y="{top + each / 2 + 3:.1f}" text-anchor="end">{escaped(name)}</text>'
                f'<rect x="{left + 8}" y="{top + 3:.1f}" width="{width}" height="{each - 6:.1f}" rx="2" fill="{colour}" fill-opacity=".12"/>'
                f'<rect x="{left + 8}" y="{top + 3:.1f}" width="{max(width * value / high, 1):.1f}" height="{each - 6:.1f}" rx="2" fill="{colour}" fill-opacity=".85"/>'
                f'<text x="{self.width - 12}" y="{top + each / 2 + 4:.1f}" text-anchor="end">{escaped(said(value, self.unit))}</text>'
            )
        return "".join(out)

    def table(self):
        rows, columns = {}, []
        hidden = {"__name__", "job", "instance", "role", "alertstate"}
        for target in self.panel["targets"]:
            columns.append(target["legendFormat"])
            for labels, value in self.prometheus.now(target["expr"], self.seconds):
                key = tuple(sorted((name, text) for name, text in labels.items() if name not in hidden))
                rows.setdefault(key, {})[target["legendFormat"]] = value
        if not rows:
            return self.empty()
        order = {"severity": 0, "alertname": 1, "fleet": 2, "dc": 3, "node": 4}
        labels = sorted({name for key in rows for name, _ in key}, key=lambda name: (order.get(name, 9), name))
        lines = [(dict(key), values) for key, values in sorted(rows.items())]
        for sort in reversed(self.panel["options"]["sortBy"]):
            lines.sort(key=lambda line: -line[1].get(sort["displayName"], -math.inf))
        if "severity" in labels:
            lines.sort(key=lambda line: line[0].get("severity", ""))
        cells = [[line[0].get(name, "") for name in labels] + [self.cell(column, line[1].get(column)) for column in columns] for line in lines]
        heads = labels + columns
        return grid(heads, cells, self.width, self.height)

    def cell(self, column, value):
        if value is None:
            return "–"
        own = self.own.get(column, {})
        for mapping in own.get("mappings", []):
            state = mapping["options"].get(digits(value))
            if state:
                return (state["text"], COLOURS[state["color"]])
        unit = own.get("unit", self.unit)
        if unit == "dateTimeFromNow":
            ago = self.prometheus.end - value / 1000
            return said(ago, "dtdurations") + " ago"
        return said(value, unit)


def grid(heads, cells, width, height):
    text = lambda cell: cell[0] if isinstance(cell, tuple) else cell
    sizes = [max([len(head)] + [len(text(row[place])) for row in cells]) + 2 for place, head in enumerate(heads)]
    scale = (width - 24) / sum(sizes)
    out, x = [], 12
    rows = int((height - 62) / 24)
    for place, head in enumerate(heads):
        out.append(f'<text class="tiny" x="{x:.0f}" y="46" style="font-weight:700">{escaped(head)}</text>')
        for line, row in enumerate(cells[:rows]):
            cell = row[place]
            colour = f' style="fill:{cell[1]};font-weight:700"' if isinstance(cell, tuple) else ""
            room = max(int(sizes[place] * scale / 6.4), 4)
            words = text(cell) if len(text(cell)) <= room else text(cell)[: room - 1] + "…"
            out.append(f'<text x="{x:.0f}" y="{70 + line * 24}"{colour}>{escaped(words)}</text>')
        x += sizes[place] * scale
    for line in range(min(len(cells), rows)):
        out.append(f'<path class="grid" d="M12 {54 + line * 24}h{width - 24}"/>')
    return "".join(out)


def nice(low, high, count, unit, is_whole=False):
    """Round figures from one end to the other; of a count whole ones."""
    base = 2 if unit == "bytes" else 10
    raw = (high - low) / count
    power = base ** math.floor(math.log(raw, base)) if raw > 0 else 1
    if base == 10:
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    else:
        step = power * (2 if raw > power else 1)
    step = max(math.ceil(step), 1) if is_whole else step
    first = math.floor(low / step + 1e-9) * step
    marks = [first]
    while marks[-1] < high - step * 1e-6:
        marks.append(marks[-1] + step)
    return [0 if abs(mark) < step * 1e-9 else mark for mark in marks]


def pieces(values, step):
    """What belongs together: a gap of more than two points is a gap."""
    out = [[values[0]]]
    for before, one in zip(values, values[1:]):
        if one[0] - before[0] > 2 * step:
            out.append([])
        out[-1].append(one)
    return out


def thinned(points):
    """Without the points that a straight line passes anyway."""
    if len(points) < 3:
        return points
    out = [points[0]]
    for place in range(1, len(points) - 1):
        (ax, ay), (bx, by), (cx, cy) = out[-1], points[place], points[place + 1]
        on_line = ay + (cy - ay) * (bx - ax) / ((cx - ax) or 1)
        if abs(on_line - by) > 0.25:
            out.append(points[place])
    return out + [points[-1]]


def runs(points, step):
    """A state, from when to when."""
    out = []
    for at, value in points:
        if out and out[-1][0] == value and at - out[-1][2] <= 1:
            out[-1][2] = at + step
        else:
            out.append([value, at, at + step])
    return out


def marks_of(dashboard, prometheus, seconds):
    marks = set()
    for annotation in dashboard["annotations"]["list"]:
        found, _ = prometheus.over_time(annotation["expr"], seconds)
        for labels, points in found:
            words = legend(annotation["titleFormat"], labels)
            marks |= {(value / 1000, annotation["iconColor"], words) for _, value in points}
    return sorted(marks)


def draw(dashboard, prometheus, seconds):
    marks = marks_of(dashboard, prometheus, seconds)
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    head = 86
    height = head + bottom * (ROW + 4) + MARGIN
    chosen = ", ".join(f"{name} {value}" for name, value in prometheus.chosen.items()) or "all fleets"
    until = time.strftime("%H:%M", time.gmtime(prometheus.end))
    about = f"{chosen} · {seconds // 3600} hours until {until} · red marks are deaths, blue ones starts"
    themes = [f"svg {{ {variables(THEMES['light'])} }}", f"@media (prefers-color-scheme: dark) {{ svg {{ {variables(THEMES['dark'])} }} }}"]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escaped(dashboard["title"])}">',
        f"<style>{''.join(themes)}{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        f'<text class="head" x="{MARGIN}" y="40">{escaped(dashboard["title"])}</text>',
        f'<text class="soft" x="{MARGIN}" y="62">{escaped(dashboard["description"])}</text>',
        f'<text class="soft" x="{WIDTH - MARGIN}" y="40" text-anchor="end">{escaped(about)}</text>',
    ]
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        x, y = MARGIN + place["x"] * COLUMN, head + place["y"] * (ROW + 4)
        if panel["type"] == "row":
            out.append(f'<text class="row" x="{x}" y="{y + 20}">{escaped(panel["title"])}</text>')
        else:
            out.append(f'<g transform="translate({x} {y})">{Panel(panel, prometheus, seconds, marks).draw()}</g>')
    return "\n".join(out) + "\n</svg>\n"


def variables(theme):
    return " ".join(f"--{name}: {value};" for name, value in theme.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dashboards", type=Path, help="the rendered folder grafana/dashboards")
    parser.add_argument("pictures", type=Path, help="the folder to draw into")
    parser.add_argument("--prometheus", required=True, help="host:port")
    parser.add_argument("--end", type=int, required=True, help="seconds since 1970")
    parser.add_argument("--hours", type=int, default=6)
    parser.add_argument("--choose", action="append", default=[], metavar="DASHBOARD:VARIABLE=REGEX")
    arguments = parser.parse_args()
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    for path in sorted(arguments.dashboards.glob("lifeboat-*.json")):
        dashboard = json.loads(path.read_text())
        name = path.stem.removeprefix("lifeboat-")
        wishes = [wish.split(":", 1)[1].split("=", 1) for wish in arguments.choose if wish.startswith(f"{name}:")]
        prometheus = Prometheus(arguments.prometheus, arguments.end, dict(wishes))
        picture = draw(dashboard, prometheus, arguments.hours * 3600)
        (arguments.pictures / f"{name}.svg").write_text(picture)
        print(f"drew {name}.svg: {len(picture) // 1024} KiB")


if __name__ == "__main__":
    main()
