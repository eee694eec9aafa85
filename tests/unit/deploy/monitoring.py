"""What is asked of Prometheus by the dashboard and the alert rules, and what the server has for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from app.metrics import Metrics

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
ADDED = frozenset(("job", "instance"))
"""Labels that Prometheus gives to each series."""
ITS_OWN = {"up": ADDED, "ALERTS": ADDED | {"alertname", "alertstate", "severity"}}
SERIES = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "info": ("_info",),
}
"""Kind of a metric -> what follows its name in a series."""
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^{}]*)\}")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
OURS = re.compile(r"\b(?:traghetto|process)_\w+")


@dataclass(frozen=True)
class Expression:
    """One expression, and where it stands."""

    where: str
    text: str
    legend: str = ""


def from_yaml(path: Path) -> Any:
    """What a YAML file says, merges done."""
    return YAML(typ="safe", pure=True).load(path)


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    read: dict[str, Any] = json.loads((DEPLOY / "grafana" / "traghetto.json").read_text(encoding="utf-8"))
    return read


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    return [rule for group in from_yaml(DEPLOY / "alerts.yml")["groups"] for rule in group["rules"]]


def series() -> dict[str, frozenset[str]]:
    """Every series that a server may have, though nothing has been counted yet -> its labels."""
    found = dict(ITS_OWN)
    collectors = Metrics().registry._collector_to_names  # nothing public tells the labels of what has no children
    for collector in collectors:
        labels = frozenset(getattr(collector, "_labelnames", ())) | ADDED
        for family in collector.collect():
            for end in SERIES[family.type]:
                found[family.name + end] = labels | {"le"} if end == "_bucket" else labels
            found |= {sample.name: labels | set(sample.labels) for sample in family.samples}
    return found


def expressions() -> Iterator[Expression]:
    """All of the dashboard, of its variables and annotations, and of the alert rules."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield Expression(f"panel {panel['title']!r}", target["expr"], target["legendFormat"])
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
            assert inner, variable["definition"]
            yield Expression(f"variable {variable['name']}", f"sum by ({inner[2]}) ({inner[1]})")
    for note in dashboard()["annotations"]["list"]:
        if "expr" in note:
            yield Expression(f"annotation {note['name']!r}", note["expr"], note["textFormat"])
    for rule in rules():
        told = " ".join(re.findall(r"\$labels\.\w+", str(rule["annotations"])))
        yield Expression(f"alert {rule['alert']}", rule["expr"], re.sub(r"\$labels\.(\w+)", r"{{\1}}", told))


def problems(expression: Expression, known: dict[str, frozenset[str]]) -> list[str]:
    """What it asks for that there is not."""
    text = re.sub(r'"[^"]*"', '""', expression.text)
    names = set(OURS.findall(text)) | {name for name, _ in SELECTOR.findall(text)}
    found = [f"no metric {name}" for name in sorted(names - known.keys())]
    labels = frozenset[str]().union(*(known.get(name, frozenset()) for name in names))
    for name, inside in SELECTOR.findall(text):
        found += [f"{name} has no label {one}" for one in LABEL.findall(inside) if one not in known.get(name, labels)]
    grouped = [one.strip() for group in GROUPING.findall(text) for one in group.split(",") if one.strip()]
    shown = re.findall(r"\{\{\s*(\w+)\s*\}\}", expression.legend)
    found += [f"no label {one} in what it asks for" for one in (*grouped, *shown) if one not in labels]
    if " by (" in text:
        found += [f"{one} is shown and not grouped by" for one in shown if one not in grouped]
    return [f"{expression.where}: {problem}" for problem in found]
