"""Access tokens under a clock that is passed in: how often, how many at once, and what a failure comes to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.calls import CallFailed
from pipeline.model.outcome import Rejected
from pipeline.model.wire import Credential, Request, Response, Token
from pipeline.tokens import Tokens, TokenUnavailable
from pipeline.vendors.contract import TokenFlow


def obtain(_credential: Credential, _options: Mapping[str, Any]) -> Request:
    return Request("POST", "/token", (("grant", "client"),))


def renew(_credential: Credential, _options: Mapping[str, Any], refresh: str) -> Request:
    return Request("POST", "/token", (("grant", refresh),))


def read(response: Response) -> Token | Rejected | None:
    if response.status in (400, 401):
        return Rejected("invalid")
    if response.status != 200:
        return None
    said = json.loads(response.body)
    return Token(said["access"], said["lives"], said.get("refresh"))


class Events:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.answers: list[str] = []
        self.missing: list[tuple[str, str, str]] = []

    def token_renewed(self, account: str, how: str, seconds: float) -> None:
        self.seen.append(how)

    def token_failed(self, account: str, reason: str, answer: str) -> None:
        self.seen.append(reason)
        self.answers.append(answer)

    def secret_missing(self, account: str, name: str, why: str) -> None:
        self.missing.append((account, name, why))


class TokenServer:
    """Numbers its tokens; answers what `answers` holds first; a request takes `takes` seconds of the clock."""

    def __init__(self, lives: float = 3600.0, refreshes: bool = False, takes: float = 0.0) -> None:
        self.now = 1000.0
        self.lives, self.refreshes, self.takes = lives, refreshes, takes
        self.grants: list[str] = []
        self.answers: list[Response | CallFailed] = []
        self.under_way = self.most_at_once = 0
        self.gate: asyncio.Event | None = None
        self.events = Events()

    async def send(self, request: Request) -> Response | CallFailed:
        self.grants.append(request.query[0][1])
        number = len(self.grants)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
        finally:
            self.under_way -= 1
        self.now += self.takes
        if self.answers:
            return self.answers.pop(0)
        said = {"access": f"a{number}", "lives": self.lives}
        return Response(200, {}, json.dumps(said | ({"refresh": f"r{number}"} if self.refreshes else {})).encode())

    def tokens(self) -> Tokens:
        flow = TokenFlow(obtain, renew, read)
        return Tokens(
            flow, lambda: Credential({}), {}, self.send, lambda: self.now, self.events, "acme", jitter=lambda: 1.0
        )


async def test_one_request_serves_all_who_wait() -> None:
    server = TokenServer()
    tokens = server.tokens()
    assert set(await asyncio.gather(*(tokens.token() for _ in range(50)))) == {"a1"}
    assert server.grants == ["client"]


async def test_two_second_tokens_need_at_most_33_requests_in_60_seconds_and_never_expire_in_hand() -> None:
    server = TokenServer(lives=2.0, takes=0.01)
    tokens = server.tokens()
    issued: dict[str, float] = {}
    begin = server.now
    while server.now - begin < 60.0:
        got = await asyncio.gather(*(tokens.token() for _ in range(8)))
        for access in got:
            assert isinstance(access, str)
            issued.setdefault(access, server.now)
            assert server.now - issued[access] < 2.0 - 0.1
        server.now += 0.005
    assert len(server.grants) <= 33
    assert server.most_at_once == 1


@pytest.mark.parametrize(("lives", "renewed_at"), [(2.0, 1.85), (100.0, 92.5), (3600.0, 3570.0)])
async def test_a_token_is_renewed_before_it_expires(lives: float, renewed_at: float) -> None:
    server = TokenServer(lives=lives)
    tokens = server.tokens()
    await tokens.token()
    server.now += renewed_at - 0.01
    assert await tokens.token() == "a1"
    server.now += 0.02
    assert await tokens.token() == "a2"


async def test_a_cancelled_waiter_neither_ends_the_renewal_nor_starts_another() -> None:
    server = TokenServer()
    server.gate = asyncio.Event()
    tokens = server.tokens()
    first, second = asyncio.create_task(tokens.token()), asyncio.create_task(tokens.token())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    third = asyncio.create_task(tokens.token())
    await asyncio.sleep(0)
    server.gate.set()
    assert (await second, await third) == ("a1", "a1")
    assert server.grants == ["client"]


async def test_all_waiters_cancelled_leave_the_token_to_the_next() -> None:
    server = TokenServer()
    server.gate = asyncio.Event()
    tokens = server.tokens()
    waiter = asyncio.create_task(tokens.token())
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    server.gate.set()
    assert await tokens.token() == "a1"
    assert server.most_at_once == 1


async def test_a_401_forces_one_renewal_however_many_saw_it() -> None:
    server = TokenServer()
    tokens = server.tokens()
    await tokens.token()
    for _ in range(20):
        tokens.invalidate("a1")
    assert set(await asyncio.gather(*(tokens.token() for _ in range(20)))) == {"a2"}
    tokens.invalidate("a1")
    assert await tokens.token() == "a2"
    assert len(server.grants) == 2


async def test_a_fresh_token_that_is_refused_too_is_refused_for_a_while_instead_of_renewed_for_ever() -> None:
    server = TokenServer()
    tokens = server.tokens()
    await tokens.token()
    tokens.invalidate("a1")
    await tokens.token()
    tokens.invalidate("a2")
    assert await tokens.token() == TokenUnavailable("refused", 15.0, "401")
    assert len(server.grants) == 2
    server.now += 15.0
    assert await tokens.token() == "a3"


async def test_a_refresh_token_is_used_once() -> None:
    server = TokenServer(lives=100.0, refreshes=True)
    tokens = server.tokens()
    for _ in range(3):
        await tokens.token()
        server.now += 95.0
    assert server.grants == ["client", "r1", "r2"]


@pytest.mark.parametrize("answer", [Response(400), Response(503), CallFailed("unknown", "timeout")])
async def test_a_refresh_refused_or_unanswered_is_followed_by_asking_anew(answer: Response | CallFailed) -> None:
    server = TokenServer(lives=100.0, refreshes=True)
    tokens = server.tokens()
    await tokens.token()
    server.now += 95.0
    server.answers = [answer]
    assert await tokens.token() == "a3"
    assert server.grants == ["client", "r1", "client"]


async def test_a_refresh_that_was_never_sent_is_kept() -> None:
    server = TokenServer(lives=100.0, refreshes=True)
    tokens = server.tokens()
    await tokens.token()
    server.now += 100.0
    server.answers = [CallFailed("not_sent", "refused")]
    assert await tokens.token() == TokenUnavailable("unreachable", 1.0, "refused")
    server.now += 1.0
    assert await tokens.token() == "a3"
    assert server.grants == ["client", "r1", "r1"]


async def test_refused_credentials_are_refused() -> None:
    server = TokenServer()
    server.answers = [Response(401)]
    assert await server.tokens().token() == TokenUnavailable("refused", 15.0, "401")
    assert server.events.seen == ["refused"]


async def test_an_unreachable_server_is_asked_less_and_less_often() -> None:
    server = TokenServer()
    tokens = server.tokens()
    begin = server.now
    while server.now - begin < 300:
        server.answers = [CallFailed("not_sent", "refused")]
        got = await asyncio.gather(*(tokens.token() for _ in range(10)))
        assert all(isinstance(one, TokenUnavailable) and one.reason == "unreachable" for one in got)
        server.now += 0.5
    assert len(server.grants) <= 11
    server.answers, server.now = [], server.now + 60
    assert isinstance(await tokens.token(), str)


@pytest.mark.parametrize("status", [429, 503])
async def test_what_a_token_server_asks_for_binds_a_probe_too(status: int) -> None:
    server = TokenServer(refreshes=True, lives=100.0)
    tokens = server.tokens()
    await tokens.token()
    server.now += 100.0
    server.answers = [Response(status, {"retry-after": "20"})]
    for _ in range(10):
        assert isinstance(await tokens.token(due=True), TokenUnavailable)
        server.now += 1.9
    assert server.grants == ["client", "r1"]
    server.now += 1.0
    assert await tokens.token(due=True) == "a3"


async def test_a_due_probe_asks_while_all_others_leave_the_server_alone() -> None:
    server = TokenServer()
    tokens = server.tokens()
    for _ in range(5):
        server.answers = [CallFailed("not_sent", "refused")]
        await tokens.token(due=True)
    assert len(server.grants) == 5
    assert await tokens.token() == TokenUnavailable("unreachable", 16.0, "refused")
    assert await tokens.token(due=True) == "a6"


async def test_once_the_account_is_found_well_the_token_is_asked_for_at_once() -> None:
    """By another worker's probe: who went on waiting would hold the account again."""
    server = TokenServer()
    server.answers = [Response(401)]
    tokens = server.tokens()
    await tokens.token()
    assert isinstance(await tokens.token(), TokenUnavailable)
    tokens.ask_again()
    assert await tokens.token() == "a2"


async def test_while_the_server_is_away_the_token_in_hand_is_used_a_little_longer() -> None:
    server = TokenServer(lives=3600.0)
    tokens = server.tokens()
    await tokens.token()
    server.now += 3571.0
    server.answers = [CallFailed("unknown", "timeout")]
    assert await tokens.token() == "a1"
    server.now += 20.0
    server.answers = [CallFailed("unknown", "timeout")]
    assert isinstance(await tokens.token(), TokenUnavailable)


async def test_a_credential_that_cannot_be_read_is_a_pause() -> None:
    server = TokenServer()

    def absent() -> Credential:
        raise OSError("no such file: /run/secrets/s3cret")

    tokens = Tokens(
        TokenFlow(obtain, renew, read), absent, {}, server.send, lambda: 0.0, server.events, "acme", jitter=lambda: 1.0
    )
    assert await tokens.token() == TokenUnavailable("unreachable", 1.0)


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (Response(503), "unreachable", "503"),
        (CallFailed("not_sent", "refused"), "unreachable", "refused"),
        (CallFailed("unknown", "timeout"), "unreachable", "timeout"),
        (Response(401), "refused", "401"),
        (Response(200, {}, b"<html>"), "unreachable", "200"),
    ],
    ids=["503", "no connection", "no answer", "401", "no token"],
)
async def test_what_the_token_server_said_is_told(answer: Response | CallFailed, reason: str, said: str) -> None:
    server = TokenServer()
    server.answers = [answer]
    unavailable = await server.tokens().token()
    assert isinstance(unavailable, TokenUnavailable)
    assert (unavailable.reason, unavailable.answer) == (reason, said)
    assert (server.events.seen, server.events.answers) == ([reason], [said])


async def test_a_secret_that_is_missing_is_named_and_no_matter_of_the_token_server() -> None:
    def wants_it(credential: Credential, options: object) -> Request:
        return Request("POST", "/token", (("secret", credential["client_secret"]),))

    server = TokenServer()
    credential = Credential({}, {"client_secret": "the file /run/secret is missing"})
    flow = TokenFlow(wants_it, renew, read)
    tokens = Tokens(flow, lambda: credential, {}, server.send, lambda: server.now, server.events, "acme")
    unavailable = await tokens.token()
    assert isinstance(unavailable, TokenUnavailable)
    assert (unavailable.reason, unavailable.answer, server.grants) == ("refused", "secret_missing", [])
    assert server.events.missing == [("acme", "client_secret", "the file /run/secret is missing")]
