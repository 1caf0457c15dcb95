"""The dashboards are what the code makes, Grafana knows every field of them, and they name only what is there."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins, runtime
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as grafana
from grafana_foundation_sdk.models import units
from ruamel.yaml import YAML

from helm.dashboards import DASHBOARDS, text
from helm.dashboards.__main__ import FOLDER
from helm.dashboards.panels import RUNBOOKS
from pipeline.telemetry.reference import all_metrics

plugins.register_default_plugins()
ROOT = Path(__file__).parents[2]
UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}
RULES = YAML(typ="safe").load((ROOT / "helm" / "calends" / "files" / "alerts.yaml").read_text())["groups"]
RECORDED = {rule["record"] for group in RULES for rule in group["rules"] if "record" in rule}
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"}
METRIC = re.compile(r"\b(?:calends|process)[_:][\w:]+")
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
NAMED = re.compile(r"[Dd]ashboard \*(\w+)\*, panels? ((?:\*[^*]+\*(?: \(`\w+`\))?(?:, | and )?)+)")


def board(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / f"{name}.json").read_text()))


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in board(name)["panels"] if panel["type"] != "row"]


PANELS = [pytest.param(panel, id=f"{name}: {panel['title']}") for name in DASHBOARDS for panel in panels(name)]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_what_the_code_makes(name: str) -> None:
    assert text(name) == (FOLDER / f"{name}.json").read_text(), "make docs"


def test_no_dashboard_is_left_over() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafana_knows_every_field_of_a_dashboard(name: str) -> None:
    again = json.loads(JSONEncoder().encode(grafana.Dashboard.from_json(board(name))))

    assert list(lost(board(name), again)) == []


def test_a_field_that_grafana_does_not_know_is_noticed() -> None:
    wrong = board("overview")
    wrong["panels"][1]["fieldConfig"]["defaults"]["unitt"] = "s"
    again = json.loads(JSONEncoder().encode(grafana.Dashboard.from_json(wrong)))

    assert list(lost(wrong, again)) == ["$.panels[1].fieldConfig.defaults.unitt"]


def lost(before: object, after: object, path: str = "$") -> Iterator[str]:
    """Where the one has something that the other has not."""
    match before, after:
        case dict(), dict():
            for key, value in before.items():
                if key in after:
                    yield from lost(value, after[key], f"{path}.{key}")
                elif value not in (None, [], {}):
                    yield f"{path}.{key}"
        case list(), list() if len(before) == len(after):
            for number, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from lost(one, other, f"{path}[{number}]")
        case _ if before != after:
            yield path


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_unit_a_description_and_a_runbook(panel: dict[str, Any]) -> None:
    assert runtime.Runtime().panelcfg_config(panel["type"]), "Grafana has such a panel"
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert len(panel["description"]) > 10
    assert panel["targets"]
    page, _, section = panel["links"][0]["url"].removeprefix("${runbooks}/").partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / RUNBOOKS / page).read_text(), re.MULTILINE)
    assert section in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_a_place_and_an_id_of_their_own(name: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board(name)["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        columns, lines = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        for cell in itertools.product(columns, lines):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]
    ids = [panel["id"] for panel in board(name)["panels"]]
    titles = [panel["title"] for panel in panels(name)]
    assert (len(set(ids)), len(set(titles))) == (len(ids), len(titles))


def test_dashboards_name_only_metrics_that_are_there() -> None:
    known = set(all_metrics()) | RECORDED | PROCESS
    named = {metric for name in DASHBOARDS for metric in METRIC.findall(json.dumps(board(name)))}

    assert len(named) > 40
    assert sorted(name for name in named if name not in known and HISTOGRAM.sub("", name) not in known) == []


def test_every_metric_is_shown_somewhere() -> None:
    named = {metric for name in DASHBOARDS for metric in METRIC.findall(json.dumps(board(name)))}

    assert sorted(set(all_metrics()) - {HISTOGRAM.sub("", name) for name in named}) == []


@pytest.mark.parametrize("page", sorted((ROOT / RUNBOOKS).glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_names_panels_that_are_there(page: Path) -> None:
    named = [
        (name, title)
        for name, titles in NAMED.findall(page.read_text())
        for title in re.findall(r"\*([^*]+)\*", titles)
    ]

    assert named
    assert [one for one in named if one[1] not in {panel["title"] for panel in panels(one[0])}] == []
