"""A grant's entries → one request, and a refusal for each entry that cannot be worded; before that, what it will take.

A vendor's folder that fails on one entry must not stop the others: what it raises is reported and is that entry's own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from pipeline.model.outcome import Rejected
from pipeline.model.wire import Request
from pipeline.vendors.contract import Situation, Step, Vendor

P = ParamSpec("P")
T = TypeVar("T")
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
    plans = {place: _tried(report, vendor.plan, given) for place, given in enumerate(situations)}
    refused = {place: plan for place, plan in plans.items() if isinstance(plan, Rejected)}
    step = next((plan for plan in plans.values() if not isinstance(plan, Rejected)), None)
    if step is None:
        return Worded(refused=refused)
    meant = {place: situations[place] for place, plan in plans.items() if plan is step}
    request = _tried(report, vendor.request, step, list(meant.values()))
    if isinstance(request, Rejected) and len(meant) > 1:
        alone = {place: _tried(report, vendor.request, step, [given]) for place, given in meant.items()}
        refused |= {place: said for place, said in alone.items() if isinstance(said, Rejected)}
        meant = {place: given for place, given in meant.items() if place not in refused}
        request = _tried(report, vendor.request, step, list(meant.values())) if meant else Rejected("invalid")
    if isinstance(request, Rejected):
        return Worded(step, refused={**refused, **dict.fromkeys(meant, request)})
    return Worded(step, request, meant, refused)


def together(vendor: Vendor, given: Situation) -> Hashable | None:
    """What entries must have in common to share a call. One that cannot be planned is alone, and fails alone."""

    def shared(step: Step, given: Situation) -> Hashable | None:
        said = vendor.together(step, given)
        return None if said is None else (step, said)

    return _foreseen(vendor, given, shared, None)


def cost(vendor: Vendor, given: Situation) -> float:
    """Credits that the next call uses up; none where there will be no call."""
    return _foreseen(vendor, given, vendor.cost, 0.0)


def _foreseen(vendor: Vendor, given: Situation, judge: Callable[[Step, Situation], T], otherwise: T) -> T:
    """Of the next step. What fails here is not reported: it fails again where it is worded."""
    step = _tried(_unreported, vendor.plan, given)
    said = step if isinstance(step, Rejected) else _tried(_unreported, judge, step, given)
    return otherwise if isinstance(said, Rejected) else said


def _unreported(_error: Exception) -> None: ...


def _tried(report: Report, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Rejected:
    try:
        return act(*args, **kwargs)
    except Exception as error:
        report(error)
        return Rejected("invalid", type(error).__name__)
