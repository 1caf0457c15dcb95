"""What a row becomes once its entry was found at the vendor in another state than the vendor acknowledged.

Pure, and followed by `place`: the lane then does what it does for any entry that is not in step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from pipeline.model.facts import NOTHING, UNSURE, Facts, Policy, place

Kind = Literal["changed", "deleted", "doubled"]


@dataclass(frozen=True, slots=True)
class Drift:
    """One entry that is not at the vendor as it should be."""

    key: str = field(repr=False)
    kind: Kind
    fields: tuple[str, ...] = ()
    """The vendor's names of what was changed."""
    ids: tuple[str, ...] = ()
    """The vendor's ids of what stands there beside the entry, or in its place under another key."""
    epoch: int = 0
    """Of the row when it was compared: a row that was claimed since is another one."""


def in_step(facts: Facts, now: float) -> bool:
    """Whether the vendor should hold exactly what it acknowledged: nothing is under way, wanted or still to act."""
    quiet = facts.quiet_until is None or facts.quiet_until <= now
    return facts.state == "idle" and quiet and facts.observed_hash not in (NOTHING, UNSURE)


def drifted(facts: Facts, kind: Kind, now: float, policy: Policy) -> Facts:
    """The row with what was found. A change is written over whole; what is gone is made again, also by a change that
    would not have created it: it had been there. `doubled` is no fact of the row."""
    match kind:
        case "changed":
            return place(replace(facts, observed_hash=UNSURE, absent=False, candidates=None), now, policy)
        case "deleted":
            gone = replace(facts, observed=None, observed_hash=NOTHING, observed_identity=None, vendor_id=None)
            return place(replace(gone, skip_unsent=False, absent=False, candidates=None), now, policy)
        case "doubled":
            return facts
