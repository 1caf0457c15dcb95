"""What becomes of an entry whose person is forgotten: nothing is wanted any more, and nothing that was read is kept.

The lane deletes what the vendor holds, like any other delete; then the row goes.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pipeline.model.facts import END, Facts, Policy
from pipeline.model.wanted import want

NEVER_OLDER = 1 << 62
"""The order of the version that ends it: no event is newer."""
_LAYER: dict[str, Any] = {
    "version": [NEVER_OLDER, "", 0, 0, 0],
    "kind": "delete",
    "rule": "",
    "content": {},
    "group": None,
    "subscriber": None,
    "identity": None,
    "skip": False,
    "wait_until": None,
    "matters_at": None,
    "deliver_at": None,
    "expires_at": None,
    "at": None,
}


def erased(facts: Facts, subscriber: str, now: float, policy: Policy) -> Facts:
    """The row with nothing wanted. It keeps what it takes to delete the entry, and by whom it is found, until then."""
    ended = want(replace(facts, layers={END: _LAYER}, raws={}, events=None), now, policy)
    return replace(ended, subscriber=subscriber)


def is_erased(facts: Facts) -> bool:
    ended = facts.layers.get(END)
    return ended is not None and bool(ended["version"][0] == NEVER_OLDER)


def is_over(facts: Facts) -> bool:
    """Whether no call is to be made for it any more."""
    return facts.lease_until is None and facts.state in ("idle", "dead", "expired")
