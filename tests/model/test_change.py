"""Layers: the newest of each wins, and no order of arrival changes the end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from pipeline.model.change import Change, Version, merge
from pipeline.model.wire import Coordinates

LAYERS = ("base", "payment", "note")
CONTENT = st.dictionaries(
    st.sampled_from(("title", "location", "ecal")),
    st.one_of(st.none(), st.text(max_size=3), st.dictionaries(st.sampled_from("ab"), st.none() | st.integers())),
)
WRITE = st.tuples(st.sampled_from(LAYERS), st.integers(0, 3), CONTENT)


def final(writes: list[tuple[str, Version, dict[str, Any]]]) -> Any:
    newest: dict[str, tuple[Version, dict[str, Any]]] = {}
    for layer, version, content in writes:
        if layer not in newest or newest[layer][0] < version:
            newest[layer] = (version, content)
    return merge([newest[layer][1] for layer in LAYERS if layer in newest])


@given(st.lists(WRITE, max_size=8), st.randoms())
def test_the_order_of_arrival_does_not_matter(writes: list[Any], random: Any) -> None:
    versioned = [
        (layer, Version.of(order, Coordinates("t", 0, offset), 1), content)
        for offset, (layer, order, content) in enumerate(writes)
    ]
    shuffled = [*versioned, *versioned]
    random.shuffle(shuffled)
    assert final(shuffled) == final(versioned)


@given(st.lists(CONTENT, max_size=4))
def test_merged_content_holds_no_null(contents: list[dict[str, Any]]) -> None:
    merged = merge(contents)
    assert None not in merged.values()
    assert all(None not in value.values() for value in merged.values() if isinstance(value, dict))


def test_null_clears_and_a_vendor_section_merges() -> None:
    base = {"title": "Due", "location": "Online", "ecal": {"objective": "x", "draft": True}}
    later = {"location": None, "ecal": {"draft": None}}
    assert merge([base, later]) == {"title": "Due", "ecal": {"objective": "x"}}


def test_a_version_orders_by_event_then_place_then_revision() -> None:
    at = Coordinates("t", 0, 5)
    assert Version.of(1, at, 1) < Version.of(1, at, 2) < Version.of(1, Coordinates("t", 0, 6), 1) < Version.of(2, at, 1)


def test_what_a_change_says_is_said_by_name() -> None:
    """A field that came between two others took the place of the content, and nobody noticed."""
    version = Version.of(1, Coordinates("t", 0, 1), 1)
    spoken: Any = ("d", "k", "upsert", version, "rule")
    assert Change(*spoken, layer="note").layer == "note"
    with pytest.raises(TypeError):
        Change(*spoken, "note")


def test_nothing_personal_in_a_repr() -> None:
    version, content = Version.of(1, Coordinates("t", 0, 1), 1), {"title": "secret"}
    change = Change("d", "k", "upsert", version, "rule", content=content, subscriber="secret", identity="secret")
    assert "secret" not in repr(change) + pretty_repr(change)
