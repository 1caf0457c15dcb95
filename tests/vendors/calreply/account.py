"""An account at the simulated CalReply for its tests: it is called as the lane calls, and loses answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from hypothesis import strategies as st

from pipeline.model.change import merge
from pipeline.model.outcome import Absent, Accepted, Exists, Outcome, Retry, Unconfirmed, Unknown
from pipeline.model.wire import Credential, Response, Token
from pipeline.rules.adapt import DestinationView, problems_of
from pipeline.vendors.calreply import VENDOR
from pipeline.vendors.calreply.simulator import Simulator
from pipeline.vendors.calreply.subscription import is_subscription
from pipeline.vendors.contract import Situation, Step

Content = dict[str, Any]

FIRST, SECOND, THIRD = (f"fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd{n}" for n in range(3))
ROKT = {"account_code": "acme", "api": "rokt"}
CREDENTIAL = Credential({"client_id": "me", "client_secret": "s3"})
CONFIG = {"account_code": "acme", "client_id": "me", "client_secret": "s3", "access_seconds": 10_000_000}


@dataclass
class Account:
    """One entry brought to what is wanted, call by call, as the ledger does it. Every call comes a settle time later.

    A lost call may have acted: `observed` then has the fields of what was there and of what the call carried.
    """

    options: Mapping[str, Any] = field(default_factory=lambda: ROKT)
    config: Mapping[str, Any] = field(default_factory=dict)
    key: str = "INV-1"
    links: dict[str, str] = field(default_factory=dict)
    calls: int = 0

    def __post_init__(self) -> None:
        self.simulator = Simulator({**CONFIG, **self.config, "api": self.options.get("api", "calreply")})
        self.situation = Situation(self.key, None, None, None, options=self.options)
        self.now = 1_000_000.0
        assert VENDOR.tokens is not None
        token = VENDOR.tokens.read(self.send(VENDOR.tokens.obtain(CREDENTIAL, self.options)))
        assert isinstance(token, Token)
        self.token = token.access

    def send(self, request: Any) -> Response:
        query, headers = request.query, dict(request.headers)
        return self.simulator.handle(request.method, unquote(request.path), query, headers, request.body, self.now)

    def bring(self, wanted: Content | None, identity: str | None = FIRST, losses: Iterator[str] | None = None) -> None:
        """`losses`: what becomes of each call in turn: "" (answered), "before" or "after" (it acted)."""
        self.situation = replace(self.situation, wanted=wanted, identity=identity)
        for _ in range(24):
            if self._is_there():
                return
            self._step(next(losses, "") if losses else "")
        raise AssertionError("it does not end")

    def _is_there(self) -> bool:
        one = self.situation
        return (
            not one.unsure and one.observed == one.wanted and (not one.wanted or one.observed_identity == one.identity)
        )

    def _step(self, loss: str) -> None:
        self.now += 400.0
        self.calls += 1
        step = VENDOR.plan(self.situation)
        assert isinstance(step, Step), step
        request = VENDOR.sign(VENDOR.request(step, [self.situation]), CREDENTIAL, self.token)
        response = None if loss == "before" else self.send(request)
        if response is None or loss:
            self._settle(step, Unknown("timeout") if step is not Step.FIND else Retry())
            return
        (outcome,) = VENDOR.read(step, [self.situation], response, datetime.fromtimestamp(self.now, UTC))
        self._settle(step, outcome)

    def _settle(self, step: Step, outcome: Outcome) -> None:
        one = self.situation
        gone = replace(one, observed=None, observed_identity=None, vendor_id=None, unsure=False)
        match outcome:
            case Accepted() | Unconfirmed() if step is Step.DELETE:
                self.situation = gone
            case Accepted(vendor_id=vendor_id) | Unconfirmed(vendor_id=vendor_id):
                self.links |= getattr(outcome, "links", {})
                there = replace(one, observed=one.wanted, observed_identity=one.identity, unsure=False)
                self.situation = replace(there, vendor_id=vendor_id or one.vendor_id)
            case Absent():
                self.situation = gone
            case Exists(vendor_id=vendor_id):
                self.situation = replace(one, unsure=True, vendor_id=vendor_id or one.vendor_id)
            case Unknown():
                # The ledger counts what is wanted as carried by a lost delete too. Of a subscription that would hide
                # what cannot be updated, so here a delete carries nothing (docs/vendors/calreply.md, Not covered).
                bare = step is Step.DELETE and is_subscription(one.observed)
                carried = {} if bare else one.wanted or {}
                observed = merge([one.observed or {}, carried])
                whose = one.observed_identity or one.identity
                self.situation = replace(one, unsure=True, observed=observed, observed_identity=whose)
            case Retry():
                pass
            case other:
                raise AssertionError(other)


def problems(content: Content, options: Mapping[str, Any]) -> list[str]:
    """As the pipeline judges."""
    return problems_of(content, DestinationView("d", VENDOR, options))


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=12)
LOSSES = st.lists(st.sampled_from(("", "before", "after")), max_size=5)
