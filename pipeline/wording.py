"""A grant's entries → one request, and a refusal for each entry that cannot be worded.

A vendor's folder that fails on one entry must not stop the others: what it raises is reported and is that entry's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.model.outcome import Rejected
from pipeline.model.wire import Request
from pipeline.vendors.contract import Situation, Step, Vendor

Report = Callable[[Exception], None]


@dataclass(frozen=True, slots=True)
class Worded:
    """`request` speaks for `situations`, by their place among the grant's entries; None: for nobody."""

    step: Step = Step.FIND
    request: Request | None = None
    situations: Mapping[int, Situation] = field(default_factory=dict)
    refused: Mapping[int, Rejected] = field(default_factory=dict)


def worded(vendor: Vendor, situations: Sequence[Situation], report: Report) -> Worded:
    """The call, unsigned. Entries of another step than the first one's are neither in it nor refused."""
    plans = {place: _planned(vendor, given, report) for place, given in enumerate(situations)}
    refused = {place: plan for place, plan in plans.items() if isinstance(plan, Rejected)}
    step = next((plan for plan in plans.values() if not isinstance(plan, Rejected)), None)
    if step is None:
        return Worded(refused=refused)
    meant = {place: situations[place] for place, plan in plans.items() if plan is step}
    request = _requested(vendor, step, list(meant.values()), report)
    if isinstance(request, Rejected) and len(meant) > 1:
        alone = {place: _requested(vendor, step, [given], report) for place, given in meant.items()}
        refused |= {place: said for place, said in alone.items() if isinstance(said, Rejected)}
        meant = {place: given for place, given in meant.items() if place not in refused}
        request = _requested(vendor, step, list(meant.values()), report) if meant else Rejected("invalid")
    if isinstance(request, Rejected):
        return Worded(step, refused={**refused, **dict.fromkeys(meant, request)})
    return Worded(step, request, meant, refused)


def _planned(vendor: Vendor, given: Situation, report: Report) -> Step | Rejected:
    try:
        return vendor.plan(given)
    except Exception as error:
        report(error)
        return Rejected("invalid", type(error).__name__)


def _requested(vendor: Vendor, step: Step, given: Sequence[Situation], report: Report) -> Request | Rejected:
    try:
        return vendor.request(step, given)
    except Exception as error:
        report(error)
        return Rejected("invalid", type(error).__name__)
