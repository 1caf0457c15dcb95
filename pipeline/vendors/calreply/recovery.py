"""The next step towards what is wanted, also after a lost answer.

CalReply only creates; its successor also updates and deletes. Nothing says what a repeated `eventId` does, so a lost
create is looked for in the subscription's feed before it is repeated.
"""

from __future__ import annotations

from pipeline.model.outcome import Rejected
from pipeline.vendors.calreply.defaults import is_rokt
from pipeline.vendors.calreply.payload import lost
from pipeline.vendors.contract import Situation, Step


def plan(situation: Situation) -> Step | Rejected:
    step = _step(situation)
    if step in (Step.CREATE, Step.FIND) or is_rokt(situation.options):
        return step
    return Rejected("unsupported", "replace" if step is Step.DELETE and situation.wanted is not None else step.value)


def _step(situation: Situation) -> Step:
    match situation:
        case Situation(wanted=None, unsure=True) if is_rokt(situation.options):
            # By the caller's own id, so there is nothing to look for.
            return Step.DELETE
        case Situation(unsure=True, absent=False, vendor_id=None):
            return Step.FIND
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
    """An update names no subscriptions and takes no alert or end away: delete, then create."""
    if situation.observed_identity not in (None, situation.identity):
        return True
    return bool(situation.observed and situation.wanted and lost(situation.observed, situation.wanted))
