"""Any subscription has problems or arrives whole at CalReply, from anywhere, whatever gets lost."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.vendors.calreply.account import LOSSES, ROKT, Account, Content, problems
from tests.vendors.calreply.subscriptions import (
    OWN,
    PEOPLE,
    RESOURCES,
    UNSAID,
    check_subscribed,
    pairs,
    subscriptions_of,
    wrong_subscriptions,
)


@settings(max_examples=50)
@given(content=subscriptions_of() | wrong_subscriptions())
def test_a_subscription_has_problems_or_arrives_whole(content: Content) -> None:
    if problems(content, {"account_code": "acme"}):
        return
    account = Account({"account_code": "acme"}, PEOPLE)
    account.bring(content, None)
    check_subscribed(account, content)
    assert account.links


@settings(max_examples=25)
@given(content=wrong_subscriptions())
def test_what_is_wrong_of_a_subscription_is_named(content: Content) -> None:
    assert problems(content, {})


def test_a_subscription_that_says_what_the_vendor_can_say_has_no_problem() -> None:
    @settings(max_examples=25)
    @given(content=subscriptions_of())
    def check(content: Content) -> None:
        late = {"excludeRequestEventIds", "excludeExternalEventIds"} & content["calreply"].keys()
        assert late or problems(content, {}) == []

    check()


@pytest.mark.parametrize("kind", RESOURCES)
def test_a_subscription_with_every_field_comes_back_with_every_field(kind: str) -> None:
    unsaid = {*UNSAID[kind], "excludeRequestEventIds", "excludeExternalEventIds"}

    @settings(max_examples=3)
    @given(own=st.fixed_dictionaries({name: OWN[name] for name in sorted(OWN.keys() - unsaid)}))
    def check(own: Content) -> None:
        section = {**own, "resource": kind, "subscriberId": "jsmith"}
        collection = "secret" if kind == "protected" else "open"
        content = {"kind": "subscription", "collection": collection, "calreply": section}
        account = Account({"account_code": "acme"}, PEOPLE)
        account.bring(content, None)
        check_subscribed(account, content)

    check()


@settings(max_examples=30)
@given(pair=pairs(), rokt=st.booleans())
def test_a_subscription_becomes_any_other(pair: tuple[Content, Content], rokt: bool) -> None:
    before, after = pair
    assume(not problems(before, {}) and not problems(after, {}))
    account = Account(ROKT if rokt else {"account_code": "acme"}, PEOPLE)
    account.bring(before, None)
    account.bring(after, None)
    check_subscribed(account, after)
    account.bring(None, None)
    assert account.simulator.subscriptions(account.now) == []


@settings(max_examples=30)
@given(pair=pairs(), losses=LOSSES, by=st.sampled_from(("id", "username")))
def test_a_subscription_is_there_once_whatever_gets_lost(
    pair: tuple[Content, Content], losses: list[str], by: str
) -> None:
    before, after = pair
    assume(not problems(before, {}) and not problems(after, {}))
    account = Account({"account_code": "acme", "deactivate": by}, {**PEOPLE, "apply_delay": 60})
    ahead = iter(losses)
    account.bring(before, None, ahead)
    account.now += 60
    account.bring(after, None, ahead)
    account.now += 60
    check_subscribed(account, after)
    account.bring(None, None, iter(losses))
    account.now += 60
    assert account.simulator.subscriptions(account.now) == []
