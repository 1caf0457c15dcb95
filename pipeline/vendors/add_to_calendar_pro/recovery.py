"""The next step towards what is wanted, also after a lost answer.

There is no key of the caller's: a lost create is looked for by its day and group, one GET per candidate, and known by
its marker. A lost change of a known event is judged by one GET: its group cannot change, and no document says how many
dates there were, so an event in another group or with more dates than wanted is deleted and created anew.
"""

from __future__ import annotations

from pipeline.model.entry import Content, content_hash
from pipeline.model.outcome import Look, Rejected
from pipeline.vendors.add_to_calendar_pro.payload import group
from pipeline.vendors.contract import Situation, Step


def plan(situation: Situation) -> Step | Rejected:
    match situation:
        case Situation(wanted=None):
            return Step.DELETE if situation.vendor_id else Step.FIND
        case Situation(unsure=True, absent=True) | Situation(unsure=False, observed=None):
            return Step.CREATE
        case Situation(vendor_id=None):
            return Step.FIND
        case Situation(unsure=True):
            return _judged(situation)
        case Situation(wanted=wanted, observed=observed) if group(wanted or {}) != group(observed or {}):
            return Step.DELETE
        case _:
            return Step.UPDATE


def judgement(step: Step, wanted: Content) -> Look:
    """What a look at a known event came to. It is kept as a candidate, good for the content that was wanted then."""
    return Look((f"{step}:{content_hash(wanted)}",))


def _judged(situation: Situation) -> Step:
    """Look first; then write over it, or delete it to create it anew."""
    steps = (Step.WRITE, Step.DELETE)
    wanted, told_then = situation.wanted or {}, tuple(situation.candidates)
    told = (step for step in steps if judgement(step, wanted).candidates == told_then)
    return next(told, Step.FIND)
