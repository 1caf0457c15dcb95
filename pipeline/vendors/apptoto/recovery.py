"""The next step towards what is wanted, also after a lost answer.

A PUT by `external_id` creates what is not there and updates what is, so it is repeated whole. (The ledger waits for
`settle_time` first: see `defaults`.) Only what no call is known of is looked for: it may be too late to create it.
"""

from __future__ import annotations

from pipeline.vendors.apptoto.payload import lost, moved
from pipeline.vendors.contract import Situation, Step, next_step


def plan(situation: Situation) -> Step:
    match situation:
        case Situation(wanted=None):
            return Step.DELETE
        case Situation(unsure=True, absent=False, observed=None, vendor_id=None, candidates=()):
            return Step.FIND
        case _:
            return next_step(situation, _replaced)


def _replaced(situation: Situation) -> bool:
    """No PUT moves an event to another calendar ("we do not support moving"): delete, then create.

    A write that found the event in another calendar leaves its id as a candidate.
    """
    if situation.candidates:
        return True
    before, after = situation.observed, situation.wanted
    if not before or not after:
        return False
    return moved(before, after, situation.options) or lost(before, after, situation.options)
