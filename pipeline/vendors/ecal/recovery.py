"""The next step towards what is wanted, also after a lost answer.

`reference` is the caller's key: a PUT by it is safe to repeat, a 404 to it says create, a 409 to that says PUT again.
"""

from __future__ import annotations

from pipeline.model.outcome import Rejected
from pipeline.vendors.contract import Situation, Step
from pipeline.vendors.ecal.payload import lost


def plan(situation: Situation) -> Step | Rejected:
    match situation:
        case Situation(wanted=None):
            return Step.DELETE
        case Situation(unsure=True, absent=True) | Situation(unsure=False, observed=None):
            return Step.CREATE
        case _ if _replaced(situation):
            return Step.DELETE
        case Situation(unsure=True):
            return Step.WRITE
        case _:
            return Step.UPDATE


def _replaced(situation: Situation) -> bool:
    """No PUT moves an entry to another subscriber, and none empties certain fields: delete, then create."""
    if situation.observed_identity not in (None, situation.identity):
        return True
    return bool(situation.observed and situation.wanted and lost(situation.observed, situation.wanted))
