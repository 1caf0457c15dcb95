"""The next step towards what is wanted, also after a lost answer.

Of events, CalReply only creates; its successor also updates and deletes. Nothing says what a repeated `eventId` does,
so a lost create is looked for in the subscription's feed before it is repeated. A subscription is looked for by its
subscriber.
"""

from __future__ import annotations

from pipeline.model.outcome import Rejected
from pipeline.vendors.calreply import subscription
from pipeline.vendors.calreply.defaults import is_rokt
from pipeline.vendors.calreply.payload import leaver, lost, subject, subscriptions
from pipeline.vendors.contract import Situation, Step, next_step


def plan(situation: Situation) -> Step | Rejected:
    if subscription.is_subscription(subject(Step.FIND, situation)):
        return _subscription(situation)
    step = _event(situation)
    if step is Step.CREATE and situation.identity is not None and not subscriptions(situation.identity):
        return Rejected("unknown_subscriber", "identity")
    if step in (Step.CREATE, Step.FIND) or is_rokt(situation.options):
        return step
    return Rejected("unsupported", "replace" if step is Step.DELETE and situation.wanted is not None else step.value)


# Events


def _event(situation: Situation) -> Step:
    match situation:
        case Situation(unsure=True, absent=False) if is_rokt(situation.options) and _goes(situation):
            # By the caller's own id, in whose calendar it may be: there is nothing to look for.
            return Step.DELETE
        case Situation(unsure=True, absent=False, vendor_id=None):
            return Step.FIND
        case _:
            return next_step(situation, _replaced)


def _goes(situation: Situation) -> bool:
    return situation.wanted is None or situation.observed_identity not in (None, situation.identity)


def _replaced(situation: Situation) -> bool:
    """An update names no subscriptions and takes no alert or end away: delete, then create."""
    if situation.observed_identity not in (None, situation.identity):
        return situation.unsure or leaver(situation) is None
    if subscription.is_subscription(situation.wanted):
        return True
    before, after = situation.observed, situation.wanted
    return bool(before and after and lost(before, after, situation.unsure))


# Subscriptions


def _subscription(situation: Situation) -> Step:
    match situation:
        case Situation(wanted=None):
            known = situation.vendor_id is not None or subscription.by_username(situation)
            return Step.DELETE if known else Step.FIND
        case Situation(unsure=True, absent=True) | Situation(unsure=False, observed=None):
            return Step.CREATE
        case Situation(unsure=True, vendor_id=None) if _is_protected(situation):
            # Only the lost answer had the password: what may be there is of no use, so all the subscriber's goes.
            return Step.DELETE
        case Situation(vendor_id=None):
            # Also where a person was sent to Google: only once they consent there is something, with an id.
            return Step.FIND
        case _ if _other(situation):
            return Step.DELETE
        case Situation(unsure=True):
            return Step.WRITE
        case _:
            return Step.UPDATE


def _is_protected(situation: Situation) -> bool:
    return subscription.resource(situation.observed or situation.wanted or {}) == "protected"


def _other(situation: Situation) -> bool:
    """What no update can say: delete, then create. The person has to open the new link."""
    before, after = situation.observed, situation.wanted
    if before is None or after is None:
        return False
    return not subscription.is_subscription(after) or subscription.lost(before, after)
