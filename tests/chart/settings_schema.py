"""`python -m tests.chart.settings_schema`: puts the schema of the settings where editors and Helm look for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
EDITORS = ROOT / "configs" / "calends.schema.json"
VALUES = ROOT / "helm" / "calends" / "values.schema.json"
RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        part: {"type": "object", "description": words, "additionalProperties": {"type": ["string", "number"]}}
        for part, words in (("requests", "What a node must have free."), ("limits", "What it may not exceed."))
    },
}


def definitions() -> dict[str, Any]:
    """What the chart's schema refers to: the settings whole, so that Helm refuses what a worker would."""
    settings = Settings.model_json_schema()
    del settings["$schema"]  # the chart's own says which it is
    return settings.pop("$defs") | {"Settings": settings, "Resources": RESOURCES}


def main() -> None:
    EDITORS.write_text(_text(Settings.model_json_schema()))
    VALUES.write_text(_text(json.loads(VALUES.read_text()) | {"$defs": definitions()}))


def _text(schema: Any) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
