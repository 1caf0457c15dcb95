"""The JSON Schema of rule files, for editors, and the reference made from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from pipeline.rules.schema import Rule, Shape, Test
from pipeline.vendors import vendors

ALONE = ("from", "on", "to", "send", "link", "type")
"""Keys of lists in whose place one item may stand alone."""
TITLES = {
    "Rule": "A rule", "On": "`on`, with a schema", "Send": "A send item", "Entry": "`entry`", "Wait": "`if_unlinked`",
    "LinkTo": "A link", "Test": "A test", "Expect": "What a test expects", "ExpectedRequest": "`request` of a test",
}  # fmt: skip


class RuleFile(Shape):
    rules: list[Rule] = Field(default_factory=list)
    """Which events become which changes of entries."""
    tests: list[Test] = Field(default_factory=list)
    """Given events and what must come of them; `calends test` and `calends check` run them."""


def file_schema() -> dict[str, Any]:
    """JSON Schema 2020-12, with a description of each key."""
    schema = RuleFile.model_json_schema(by_alias=True)
    schema |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Rules of Calends"}
    schema["patternProperties"] = {"^x-": {"description": "Where YAML anchors may stand."}}
    for shape in schema["$defs"].values():
        shape["properties"] = {name: _alone(name, said) for name, said in shape["properties"].items()}
    send = schema["$defs"]["Send"]["properties"]
    del send["own"]
    for name, vendor in vendors().items():
        send[name] = {"type": "object", "description": f"What only {vendor.title} has: calends vendors {name}."}
    return schema


def _alone(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """A list, or its one item alone."""
    lists = [one for one in said.get("anyOf", [said]) if one.get("type") == "array"]
    if name not in ALONE or not lists:
        return dict(said)
    rest = {key: value for key, value in said.items() if key in ("description", "title", "default")}
    others = [one for one in said.get("anyOf", ()) if one.get("type") != "array"]
    items = {key: value for key, value in lists[0].items() if key not in rest}
    return {**rest, "anyOf": [lists[0]["items"], items, *others]}


def reference() -> str:
    """The page of all keys, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    shapes = file_schema()["$defs"]
    yield "# Every key of a rule file"
    yield ""
    yield "Made from `configs/rules.schema.json`, which lets an editor complete and check a rule file: put"
    yield "`# yaml-language-server: $schema=../rules.schema.json` into its first line. [Rules](rules.md) explains them."
    for name, title in TITLES.items():
        yield from ("", f"## {title}", "", "| key | value | meaning |", "|---|---|---|")
        required = shapes[name].get("required", ())
        for key, said in shapes[name]["properties"].items():
            mark = " (required)" if key in required else ""
            yield f"| `{key}`{mark} | {_kind(said)} | {said.get('description', '')} |"


def _kind(said: Mapping[str, Any]) -> str:
    if "$ref" in said:
        return TITLES.get(str(said["$ref"]).rpartition("/")[2], "").lower()
    if "enum" in said or "const" in said:
        return ", ".join(f"`{one}`" for one in said.get("enum", [said.get("const")]))
    if "anyOf" in said:
        kinds = [_kind(one) for one in said["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
    if said.get("type") == "array":
        return "a list"
    names = {"string": "a text", "integer": "an integer", "boolean": "true or false", "object": "a map"}
    return names.get(str(said.get("type")), "a value or a template")
