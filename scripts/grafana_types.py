"""Writes a TypeScript program that says of each dashboard, panel and field that it is what Grafana's types say: the
compiler is the judge."""

import json
import re
import shutil
import sys
from pathlib import Path

# What Prometheus' data source adds is in no type of Grafana's: what a variable is made of, and a mark's query and texts.
UNTYPED = {"definition", "expr", "target", "tagKeys", "textFormat", "titleFormat", "useValueForTime"}
# Panels whose fields have nothing of their own.
PLAIN = {"stat", "bargauge"}


def without_untyped(value):
    if isinstance(value, dict):
        return {key: without_untyped(inner) for key, inner in value.items() if key not in UNTYPED}
    return [without_untyped(inner) for inner in value] if isinstance(value, list) else value


def as_unions(declarations):
    """A word in JSON is no member of an enum: the enum becomes the words that it has."""

    def union(found):
        words = re.findall(r'=\s*("[^"]*"|-?\d+)', found[2])
        return f"export type {found[1]} = {' | '.join(words) or 'never'};"

    enum = r"(?:export )?(?:declare )?(?:const )?enum (\w+) \{(.*?)\}"
    return re.sub(enum, union, declarations, flags=re.S)


def copy_types(release, check):
    installed = release / "node_modules/@grafana/schema/dist"
    types = next(folder for folder in (installed / "types", installed / "esm") if (folder / "raw").is_dir())
    shutil.rmtree(check, ignore_errors=True)
    shutil.copytree(types, check / "types")
    for path in (check / "types").rglob("*.d.ts"):
        path.write_text(as_unions(path.read_text()))


def main():
    release, dashboards = Path(sys.argv[1]), Path(sys.argv[2])
    check = release / "check"
    copy_types(release, check)

    def place_of(folder):
        path = next((check / "types/raw" / folder / "x").glob("*.d.ts"))
        return "./" + str(path.relative_to(check))[: -len(".d.ts")]

    head, body, kinds = [f'import type {{ Dashboard }} from "{place_of("dashboard")}";'], [], set()

    def says(type_name, value):
        body.append(f"export const v{len(body)}: {type_name} = {json.dumps(without_untyped(value), indent=1)};")

    files = sorted(dashboards.glob("*.json"))
    if not files:
        sys.exit(f"grafana-types: there is no dashboard in {dashboards}")
    for path in files:
        dashboard = json.loads(path.read_text())
        says("Dashboard", dashboard)
        for panel in dashboard["panels"]:
            if panel["type"] == "row":
                continue
            kind = panel["type"].replace("-", "")
            kinds.add(kind)
            # A panel's type fills in what is not said.
            says(f"Partial<{kind}.Options>", panel["options"])
            own = panel["fieldConfig"]["defaults"]["custom"]
            says("Record<string, never>" if kind in PLAIN else f"Partial<{kind}.FieldConfig>", own)
    for kind in sorted(kinds):
        head.append(f'import type * as {kind} from "{place_of(f"composable/{kind}/panelcfg")}";')
    (check / "check.ts").write_text("\n".join(head + body) + "\n")
    options = {
        "strict": True, "noEmit": True, "skipLibCheck": True, "module": "esnext", "target": "esnext",
        "moduleResolution": "bundler", "paths": {"@grafana/schema": ["./types/index.d.ts"]},
    }
    (check / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["check.ts"]}))


main()
