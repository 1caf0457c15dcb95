"""What nobody may see: passwords in addresses, and values in problems."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model.outcome import Accepted
from pipeline.model.wire import Response
from pipeline.vendors.calreply import VENDOR
from pipeline.vendors.contract import Step
from tests.vendors.calreply.account import Account, Content, problems
from tests.vendors.calreply.subscriptions import OWN, PEOPLE, check_subscribed, wrong_subscriptions


def test_the_url_of_a_protected_calendar_shows_nowhere() -> None:
    content = {"kind": "subscription", "collection": "secret", "calreply": {"resource": "protected"}}
    content["calreply"]["subscriberId"] = "jsmith"
    account = Account({"account_code": "acme"}, PEOPLE)
    account.bring(content, None)
    (one,) = account.simulator.subscriptions()
    assert one["password"] in account.links["subscription"]
    answer = Response(200, body=account.links["subscription"].encode())
    (outcome,) = VENDOR.read(Step.CREATE, [account.situation], answer, datetime.now(UTC))
    assert isinstance(outcome, Accepted)
    assert outcome.links == account.links
    assert one["password"] not in repr((outcome, answer, account.situation))


def test_a_lost_create_of_a_protected_subscription_is_made_anew_for_its_password() -> None:
    content = {
        "kind": "subscription",
        "collection": "secret",
        "calreply": {"resource": "protected", "subscriberId": "jsmith"},
    }
    account = Account({"account_code": "acme"}, PEOPLE)
    account.bring(content, None, iter(["after"]))
    check_subscribed(account, content)
    (one,) = account.simulator.subscriptions()
    assert one["password"] in account.links["subscription"]


@settings(max_examples=25)
@given(content=wrong_subscriptions())
def test_a_problem_quotes_no_value(content: Content) -> None:
    text = " ".join(problems(content, {}))
    values = [value for value in content["calreply"].values() if isinstance(value, str) and len(value) > 8]
    known = {"subscribe", "protected"}
    assert not [value for value in values if value in text and value not in known]


def test_the_ledgers_own_field_types_are_declared() -> None:
    said = VENDOR.express({}).subscription
    assert said is not None
    assert said.own.keys() == {*OWN, "resource", "subscriberId"}
    assert said.needs_identity is False
    kinds = {"string": str, "boolean": bool, "integer": int, "array": list}

    @settings(max_examples=5)
    @given(own=st.fixed_dictionaries(OWN))
    def check(own: Content) -> None:
        assert all(isinstance(value, kinds[said.own[name]]) for name, value in own.items())

    check()
