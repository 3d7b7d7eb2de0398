"""Write the chart's `values.schema.json` and the tables of its `README.md` from what they describe.

The values table comes from the comments of `values.yaml`, the settings table and the schema of `settings`
from the table of fields in `videogen_operator.settings`. `--check` writes nothing.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final, get_args

import yaml

from videogen_operator.settings import Settings, environment_key

CHART: Final = Path(__file__).resolve().parents[1] / "charts" / "videogen-operator"
BY_THE_CHART: Final = frozenset(
    {"namespace", "pod_name", "temp_dir", "temp_bytes", "drain_seconds", "service_account_dir", "kubeconfig"}
)
"""Settings that follow from the pod itself and are no values."""

Json = dict[str, Any]


def camel(name: str) -> str:
    """The value of a setting: `log_format` is `settings.logFormat`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _setting_schema(entry: "Field[Any]") -> Json:
    choices = get_args(entry.type)
    if choices and entry.type not in (str, int, float):
        return {"enum": [*choices, None]}
    if entry.type is str:
        return {"type": ["string", "null"]}
    schema: Json = {"minimum": entry.metadata["least"]}
    if entry.type is int:
        schema["type"] = ["integer", "null"]
    else:  # helm --set takes 0.5 for a string
        schema |= {"type": ["number", "string", "null"], "pattern": r"^[0-9]+(\.[0-9]+)?$"}
    if entry.metadata["most"] != float("inf"):
        schema["maximum"] = entry.metadata["most"]
    return schema


def _closed(properties: Json) -> Json:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _text() -> Json:
    return {"type": "string"}


def _switch() -> Json:
    return {"type": "boolean"}


def _strings() -> Json:
    return {"type": "object", "additionalProperties": _text()}


def _list_of(items: Json) -> Json:
    return {"type": "array", "items": items}


def schema() -> Json:
    """values.schema.json: every key is known, so that a misspelt one is refused instead of ignored."""
    settings = {
        camel(entry.name): _setting_schema(entry) for entry in fields(Settings) if entry.name not in BY_THE_CHART
    }
    properties = {
        "nameOverride": _text(),
        "fullnameOverride": _text(),
        "image": _closed(
            {
                "repository": {"type": "string", "minLength": 1},
                "tag": _text(),
                "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
                "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
            }
        ),
        "imagePullSecrets": _list_of(_closed({"name": _text()})),
        "crds": _closed({"enabled": _switch(), "keep": _switch()}),
        "admissionPolicy": _closed({"enabled": _switch()}),
        "rbac": _closed({"create": _switch(), "userRoles": _switch()}),
        "serviceAccount": _closed({"create": _switch(), "name": _text(), "annotations": _strings()}),
        "secrets": _list_of({"type": "string", "minLength": 1}),
        "settings": _closed(settings),
        "tempVolume": _closed({"gibibytes": {"type": "integer", "minimum": 1}}),
        "terminationGracePeriodSeconds": {"type": "integer", "minimum": 60},
        "resources": {"type": "object"},
        "env": _list_of({"type": "object", "required": ["name"]}),
        "podAnnotations": _strings(),
        "podLabels": _strings(),
        "nodeSelector": _strings(),
        "tolerations": _list_of({"type": "object"}),
        "affinity": {"type": "object"},
        "priorityClassName": _text(),
        "global": {"type": "object"},
    }
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_closed(properties)}


def documented_values(text: str) -> Iterator[tuple[str, str]]:
    """Each value that has a `# -- ` comment, as a dotted path, with the comment on one line."""
    path: list[tuple[int, str]] = []
    words: list[str] = []
    for line in text.splitlines():
        comment = re.match(r"\s*# (?:-- )?(.*)", line)
        if comment and ("# -- " in line or words):
            words.append(comment[1])
            continue
        key = re.match(r"(\s*)([A-Za-z]+):", line)
        if key:
            path = [*(step for step in path if step[0] < len(key[1])), (len(key[1]), key[2])]
            if words:
                yield ".".join(name for _, name in path), " ".join(words)
        words = []


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def values_table() -> str:
    """One row a value, with its default."""
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    rows = ["| value | default | meaning |", "| --- | --- | --- |"]
    for path, meaning in documented_values(text):
        value = defaults
        for step in path.split("."):
            value = value[step]
        rows.append(f"| `{path}` | `{json.dumps(value)}` | {_cell(meaning)} |")
    return "\n".join(rows)


def settings_table() -> str:
    """One row a setting, with its default and the value of the chart that sets it."""
    rows = ["| environment | value of the chart | default | meaning |", "| --- | --- | --- | --- |"]
    for entry in fields(Settings):
        value = "from the pod" if entry.name in BY_THE_CHART else f"`settings.{camel(entry.name)}`"
        default = "required" if entry.default is MISSING else "" if entry.default is None else f"`{entry.default}`"
        rows.append(f"| `{environment_key(entry.name)}` | {value} | {default} | {_cell(entry.metadata['doc'])} |")
    return "\n".join(rows)


def readme() -> str:
    """README.md with what stands between the marks of the two tables replaced."""
    text = (CHART / "README.md").read_text()
    for name, table in (("values", values_table()), ("settings", settings_table())):
        begin, end = f"<!-- {name}: generated -->", f"<!-- /{name} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    return text


def generated() -> Iterator[tuple[Path, str]]:
    """Each generated file with its text."""
    yield CHART / "values.schema.json", json.dumps(schema(), indent=2) + "\n"
    yield CHART / "README.md", readme()


def main() -> int:
    """Write the files, or with --check say which are stale; the exit code is 1 if any is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file is stale")
    check = parser.parse_args().check
    stale = [path for path, text in generated() if not path.exists() or path.read_text() != text]
    for path, text in generated():
        if path in stale and not check:
            path.write_text(text)
        elif path in stale:
            print(f"{path} is stale: run make crds", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
