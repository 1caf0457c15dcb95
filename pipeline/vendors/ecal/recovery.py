"""The next step towards what is wanted, also after a lost answer.

`reference` is the caller's key: a PUT by it is safe to repeat, a 404 to it says create, a 409 to that says PUT again.
"""

from __future__ import annotations

from pipeline.vendors.contract import Situation, Step, next_step
from pipeline.vendors.ecal.defaults import is_public
from pipeline.vendors.ecal.payload import lost


def plan(situation: Situation) -> Step:
    return next_step(situation, _replaced)


def _replaced(situation: Situation) -> bool:
    """What no PUT can do: delete, then create."""
    if situation.observed is None or situation.wanted is None:
        # A 409 to a create of which nothing was known: the reference may be in a stranger's calendar, or a fixture.
        return True
    moved = situation.observed_identity not in (None, situation.identity) and not is_public(situation.options)
    return moved or lost(situation.observed, situation.wanted)
