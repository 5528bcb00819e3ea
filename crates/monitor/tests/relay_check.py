#!/usr/bin/env python3
"""Asks Relay's own normaliser whether it takes our events as they are, and keeps what they say.

Takes files with one event each, or one event on standard input. Prints every error with its path and every field
that came out changed; ends with 1 if there were any. Needs the package sentry-relay.
"""

import json
import sys

from sentry_relay.processing import StoreNormalizer

# What the server must keep as it was sent.
KEPT = [
    "event_id", "level", "platform", "release", "dist", "environment", "tags", "exception", "threads", "breadcrumbs",
    "contexts", "debug_meta", "fingerprint", "transaction",
]
# Fields of a debug image that the server knows by another name.
RENAMED = {"name": "code_file", "id": "debug_id"}


def errors_of(node, path=""):
    """The errors in a tree of metadata, with the path of the field that each is about."""
    if not isinstance(node, dict):
        return
    for error in (node.get("") or {}).get("err", []):
        yield path or "/", error
    for remark in (node.get("") or {}).get("rem", []):
        yield path or "/", remark
    for key, value in node.items():
        if key:
            yield from errors_of(value, f"{path}/{key}")


def listed(tags):
    """Tags, whichever of the two forms they have."""
    return dict(tags) if isinstance(tags, list) else tags


def changes(sent, kept, path=""):
    """Where something that was sent is missing or different."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for key, value in sent.items():
            key = RENAMED.get(key, key) if "/images/" in path else key
            if value not in (None, [], {}):
                yield from changes(value, kept.get(key), f"{path}/{key}")
    elif isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        for index, (a, b) in enumerate(zip(sent, kept)):
            yield from changes(a, b, f"{path}/{index}")
    elif sent != kept and not is_same_value(sent, kept):
        yield f"{path}: sent {str(sent)[:80]!r}, kept {str(kept)[:80]!r}"


def is_same_value(sent, kept):
    if isinstance(sent, (int, float)) and isinstance(kept, (int, float)):
        return abs(sent - kept) < 1e-3
    return str(sent) == str(kept)


def check(name, event):
    sent = json.loads(json.dumps(event))
    normalised = StoreNormalizer(project_id=1, normalize_user_agent=False).normalize_event(event)
    found = [f"{path}: {error}" for path, error in errors_of(normalised.get("_meta") or {})]
    found += [f"errors: {error}" for error in normalised.get("errors") or []]
    for field in KEPT:
        before, after = sent.get(field), normalised.get(field)
        if field == "tags":
            before, after = listed(before or {}), listed(after or {})
        if before not in (None, [], {}):
            found += changes(before, after, field)
    if sent.get("server_name") != listed(normalised.get("tags") or {}).get("server_name"):
        found.append("server_name: did not become a tag")
    for line in found:
        print(f"{name}: {line}")
    return not found


def main():
    names = sys.argv[1:]
    events = [(name, json.load(open(name, encoding="utf-8"))) for name in names]
    events = events or [("standard input", json.load(sys.stdin))]
    good = [check(name, event) for name, event in events]
    print(f"{sum(good)} of {len(good)} events are taken as they are")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
