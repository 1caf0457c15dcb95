"""JSON that a stranger sent is a value or nothing, never an error; what is sent is compact."""

from __future__ import annotations

import pytest

from pipeline.model.wire import Request, json_of, json_request, object_of


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, "{", b"null"])
def test_what_is_no_json_is_nothing(body: bytes | str) -> None:
    assert (json_of(body), object_of(body)) == (None, {})


@pytest.mark.parametrize("body", [b'{"a": 1}', '{"a": 1}'])
def test_an_object_is_read(body: bytes | str) -> None:
    assert json_of(body) == object_of(body) == {"a": 1}


def test_another_value_is_no_object() -> None:
    assert (json_of(b"[1]"), object_of(b"[1]")) == ([1], {})


def test_json_is_sent_compact_and_in_utf_8() -> None:
    assert json_request("PUT", "/e", {"a": ["é", 1]}, (("q", "1"),)) == Request(
        "PUT", "/e", (("q", "1"),), (("content-type", "application/json"),), '{"a":["é",1]}'.encode()
    )
