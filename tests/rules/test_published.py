"""The schema for editors, and the reference, are those of the rules that are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from pipeline.rules.published import TITLES, file_schema, reference
from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
FILES = [*sorted((ROOT / "configs" / "rules").glob("*.yaml")), ROOT / "pipeline" / "demo" / "rules.yaml"]
REMAKE = "remake both: python -m tests.rules.test_published"


def plain(node: Any) -> Any:
    return json.loads(json.dumps(node, default=str))


def test_the_published_schema_is_that_of_the_rules() -> None:
    assert json.loads((ROOT / "configs" / "rules.schema.json").read_text()) == file_schema(), REMAKE


def test_the_reference_is_made_from_it() -> None:
    assert (ROOT / "docs" / "rules-reference.md").read_text() == reference(), REMAKE


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_shipped_rules_fit_it(file: Path) -> None:
    jsonschema_rs.validator_for(file_schema()).validate(plain(YAML(typ="safe").load(file.read_text())))


@pytest.mark.parametrize("wrong", [{"ruels": []}, {"rules": [{"name": "a", "from": "t", "wehn": True}]}])
def test_an_editor_sees_a_typo(wrong: Any) -> None:
    assert not jsonschema_rs.validator_for(file_schema()).is_valid(wrong)


def test_every_key_of_a_rule_file_has_a_description() -> None:
    assert undescribed(file_schema()) == []
    assert TITLES.keys() == file_schema()["$defs"].keys()


def test_every_key_of_the_settings_has_a_description() -> None:
    assert undescribed(Settings.model_json_schema()) == []


def undescribed(schema: dict[str, Any]) -> list[tuple[str, str]]:
    shapes = {"file": schema, **schema["$defs"]}
    keys = ((name, key, said) for name, shape in shapes.items() for key, said in shape["properties"].items())
    return [(name, key) for name, key, said in keys if not said.get("description")]


if __name__ == "__main__":
    (ROOT / "configs" / "rules.schema.json").write_text(json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n")
    (ROOT / "docs" / "rules-reference.md").write_text(reference())
