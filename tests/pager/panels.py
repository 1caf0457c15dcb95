"""The dashboards' queries, asked of the real Prometheus as Grafana would ask them, over all that has happened."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.pager.watch import Watch

FOLDER = Path(__file__).parents[2] / "helm" / "calends" / "files" / "dashboards"
FIXED = {"__rate_interval": "10s", "__interval": "2s", "datasource": "prometheus", "runbooks": ""}
POINTS = 400
Choice = Mapping[str, str]
"""Variable → what stands for it in a query."""


@dataclass
class Board:
    name: str
    watch: Watch
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Panel → query → what it returned for all there is: what a picture is drawn from."""

    @property
    def content(self) -> dict[str, Any]:
        return dict(json.loads((FOLDER / f"{self.name}.json").read_text()))

    def problems(self) -> Iterator[str]:
        """What does not return data, or names a label that is not there."""
        everything = FIXED | {one["name"]: ".*" for one in self._variables()}
        for panel in self.content["panels"]:
            for target in panel.get("targets", ()):
                found = self._ask(target, everything)
                self.kept.setdefault(str(panel["id"]), {})[target["refId"]] = found
                yield from self._wrong(panel, target, found)
                if found:
                    one = everything | self._one(found)
                    if not any(_finite(series) for series in self._ask(target, one)):
                        yield f"{self.name}: {panel['title']}: no data for {one}"
        for note in self.content["annotations"]["list"]:
            self.watch.query(_worded(note["expr"], everything))

    def _variables(self) -> list[dict[str, Any]]:
        return [one for one in self.content["templating"]["list"] if one["type"] == "query"]

    def values(self) -> dict[str, list[str]]:
        """Variable → its values, as Grafana's data source finds them."""
        found = {}
        for one in self._variables():
            asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", one["query"])
            assert asked is not None, one["query"]
            found[one["name"]] = self.watch.get(f"label/{asked[2]}/values", **{"match[]": asked[1]})
        return found

    def _one(self, found: list[dict[str, Any]]) -> Choice:
        """Each variable as a value that the panel has, where it has one; two as Grafana words them."""
        chosen = {}
        for name in self.values():
            shown = sorted({series["metric"][name] for series in found if name in series["metric"]})
            if shown:
                chosen[name] = shown[0] if len(shown) == 1 else f"({'|'.join(shown[:2])})"
        return chosen

    def _ask(self, target: Mapping[str, Any], choice: Choice) -> list[dict[str, Any]]:
        began, now = self.watch.began, time.time()
        step = max(1.0, (now - began) / POINTS)
        asked = _worded(target["expr"], choice)
        return list(self.watch.get("query_range", query=asked, start=began, end=now, step=step)["result"])

    def _wrong(self, panel: Mapping[str, Any], target: Mapping[str, Any], found: list[dict[str, Any]]) -> Iterator[str]:
        where = f"{self.name}: {panel['title']} {target['refId']}"
        if not any(_finite(series) for series in found):
            yield f"{where}: no data for {target['expr']}"
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            if any(label not in series["metric"] for series in found):
                yield f"{where}: the legend names {label}, which a series has not"


def _finite(series: Mapping[str, Any]) -> bool:
    return any(math.isfinite(float(value)) for _, value in series["values"])


def _worded(text: str, choice: Choice) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: choice[found[1]], text)
