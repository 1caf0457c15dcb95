"""Whose contract is tested: every vendor of the tree, or the one folder that `--vendor` names, wherever it lies.

What is missing is told in words for the author of a vendor, who has not read the suite.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import pipeline.vendors
from pipeline.vendors.contract import Situation, Step, Vendor

TREE = Path(pipeline.vendors.__file__).parent
DOCS = TREE.parents[1] / "docs" / "vendors"
FILES = {
    "__init__.py": "`VENDOR = Vendor(…)`, which gathers the rest",
    "cases.yaml": "entries with the request they become, and answers with their outcome, from the vendor's pages",
    "credential.py": "sign(): what authenticates a request",
    "defaults.py": "DEFAULTS, SECRETS and express(): limits, the credential's parts, what can be said",
    "payload.py": "request(), problems() and probe(): an entry as the vendor's request",
    "recovery.py": "plan(): the next step, also after a lost answer",
    "responses.py": "read(): an answer as an outcome",
    "simulator.py": "Simulator: the vendor as its pages describe it, for the sandbox; imports nothing of the folder",
}
SOURCE = re.compile(r"(newer page: \S|client: \S|none: \S|[^;]*[^;\s], lines? \d)")
FORMS = '"<page>, line 12", "newer page: <its name>", "client: <whose>" or "none: <why>"'
PARTS = ("token_path", "writes", "tokens_issued", "handle", "refusal", "peek", "revoke", "restore", "items", "entries")
"""What the sandbox asks of a `Simulator` (`pipeline/sandbox/hosted.py`)."""

named: Path | None = None
"""The folder of `--vendor`; set before anything is collected."""


@dataclass(frozen=True, slots=True)
class Subject:
    vendor: Vendor
    folder: Path
    package: str

    def cases(self, kind: str) -> list[dict[str, Any]]:
        return list(document(self.folder).get(kind) or ())

    @property
    def sandbox(self) -> dict[str, Any]:
        """What the simulator's account, and the destination's options, are besides the credential."""
        return dict(document(self.folder).get("sandbox") or {})

    @property
    def allowances(self) -> dict[str, Any]:
        """Where what comes back cannot but differ from what was said."""
        return dict(document(self.folder).get("allowances") or {})

    @property
    def simulator(self) -> Any:
        return importlib.import_module(f"{self.package}.simulator").Simulator


class Unusable(Exception):
    """The folder holds no vendor; the text says what is missing."""


def subjects() -> list[Subject]:
    """Raises Unusable."""
    if named is not None:
        return [subject(named)]
    return [subject(path.parent) for path in sorted(TREE.glob("*/__init__.py"))]


def subject(folder: Path) -> Subject:
    """Raises Unusable."""
    if not folder.is_dir():
        raise Unusable(f"{folder}: no such folder")
    lacking = [name for name in FILES if not (folder / name).is_file()]
    if lacking:
        raise Unusable(_listed(f"{folder} is no vendor yet; it lacks", [f"{name}: {FILES[name]}" for name in lacking]))
    package = _package(folder)
    try:
        vendor = getattr(importlib.import_module(package), "VENDOR", None)
    except Exception as error:
        raise Unusable(f"{folder} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(vendor, Vendor):
        raise Unusable(f"{folder}/__init__.py has no VENDOR that is a pipeline.vendors.contract.Vendor")
    return Subject(vendor, folder, package)


def _package(folder: Path) -> str:
    """The folder's dotted name; the folder that holds its outermost package can be imported from."""
    names = [folder.name]
    above = folder.parent
    while (above / "__init__.py").is_file():
        names.insert(0, above.name)
        above = above.parent
    if str(above) not in sys.path:
        sys.path.insert(0, str(above))
    return ".".join(names)


@cache
def document(folder: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe").load(folder / "cases.yaml") or {})


def situation(given: dict[str, Any]) -> Situation:
    return Situation(**{"wanted": None, "observed": None, "identity": None, **given})


def situations(case: dict[str, Any]) -> list[Situation]:
    return [situation(given) for given in case.get("situations") or [case["situation"]]]


def missing(one: Subject) -> list[str]:
    """What the author still owes, in words."""
    return [*_cases_missing(one), *_sources_missing(one), *_simulator_missing(one), *_page_missing(one)]


def _cases_missing(one: Subject) -> Iterator[str]:
    for kind in ("requests", "responses"):
        shown = {case.get("step") for case in one.cases(kind)}
        for step in planned(one):
            if step not in shown:
                yield f"cases.yaml: `{kind}` has no case of the step `{step}`, which plan() gives"
    for kind in ("requests", "responses", *(("tokens", "token_responses") if one.vendor.tokens else ())):
        if not one.cases(kind):
            yield f"cases.yaml has no `{kind}`"


def _sources_missing(one: Subject) -> Iterator[str]:
    for kind in ("requests", "responses", "signatures", "tokens", "token_responses", "calls"):
        for case in one.cases(kind):
            if not SOURCE.match(str(case.get("source", ""))):
                yield f"cases.yaml: the `source` of `{case.get('name')}` under `{kind}` is none of {FORMS}"


def _simulator_missing(one: Subject) -> Iterator[str]:
    made = getattr(importlib.import_module(f"{one.package}.simulator"), "Simulator", None)
    if made is None:
        yield "simulator.py has no class Simulator"
        return
    text = (one.folder / "simulator.py").read_text("utf-8")
    for part in PARTS:
        if not hasattr(made, part) and f"self.{part}" not in text:
            yield f"simulator.py: Simulator has no `{part}`, which the sandbox asks for"


def _page_missing(one: Subject) -> Iterator[str]:
    page = DOCS / f"{one.vendor.name}.md"
    if one.folder.parent == TREE and not page.is_file():
        yield f"docs/vendors/{page.name}: what is covered, and where it departs from the vendor's pages"


def planned(one: Subject) -> list[Step]:
    """Every step that plan() gives for what the cases are about."""
    steps = {one.vendor.plan(given) for given in _variants(one)}
    return [step for step in Step if step in steps]


def _variants(one: Subject) -> Iterator[Situation]:
    for case in one.cases("requests"):
        for given in situations(case):
            content = given.wanted or given.observed
            for wanted, observed, unsure, absent, known in product((True, False), repeat=5):
                if wanted or observed or unsure:
                    yield Situation(
                        key=given.key,
                        wanted=content if wanted else None,
                        observed=content if observed else None,
                        identity=given.identity,
                        observed_identity=given.identity,
                        vendor_id="v1" if known else None,
                        unsure=unsure,
                        absent=absent and unsure,
                        options=given.options,
                    )


def _listed(title: str, lines: list[str]) -> str:
    return "\n  ".join([f"{title}:", *lines])
