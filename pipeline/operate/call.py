"""One call that a person makes to a vendor: signed, out of the account's quota like any other, and written down first.

What leaves by a value of this module shows no secret: neither the signature nor the token nor the credential.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from pipeline.account import Account
from pipeline.calls import CallFailed
from pipeline.ledger import Act, Ledger, LedgerUnavailable, Stopped
from pipeline.model.wire import Credential, Request, Response, Token, json_or_text
from pipeline.operate.sending import InQuota, NoPlace
from pipeline.operate.shown import MASK, Shown, shown
from pipeline.settings import Settings
from pipeline.tokens import TokenUnavailable

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BODILESS = ("GET", "HEAD")
SECRET_LENGTH = 6
"""What is shorter is masked in no answer: it would be found in every other word."""


class NotACall(Exception):
    """What was asked for cannot be a call below the account's base URL; the text says why."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The vendor's answer, secrets masked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300

    def content(self) -> Any:
        """The body as JSON, as text where it is none."""
        return json_or_text(self.body)


@dataclass(frozen=True, slots=True)
class Refused:
    """The call was not made, or its answer did not come: `code` for the audit, `words` for the person."""

    code: str
    words: str
    reached: bool = False
    """Whether it got as far as the vendor's address, whatever came of it there."""


# what is asked for -------------------------------------------------------------------------------------------------


def wanted(
    method: str,
    path: str,
    query: Sequence[tuple[str, str]] = (),
    fields: Mapping[str, Any] | None = None,
    body: bytes = b"",
    headers: Sequence[tuple[str, str]] = (),
) -> Request:
    """The request, unsigned. Raises NotACall."""
    if method not in METHODS:
        raise NotACall(f"{method} is no method; one of {', '.join(METHODS)}")
    if fields and body:
        raise NotACall("fields and --input exclude each other: both are the body")
    if (fields or body) and method in BODILESS:
        raise NotACall(f"a {method} has no body: use --query")
    if not _is_text([path, *chain(*query, *headers), json.dumps(fields, ensure_ascii=False)]):
        raise NotACall("an argument is no text in UTF-8: write such bytes as %FF in PATH, or give --input")
    place, inside = _placed(path)
    said = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() if fields else body
    return Request(method, place, (*inside, *query), tuple((name.lower(), value) for name, value in headers), said)


def _is_text(arguments: Sequence[str]) -> bool:
    """Python hands on what a shell gave as bytes with lone surrogates for them."""
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError:
        return False
    return True


def _placed(path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The path as it is sent, and the query that was written behind it: some vendors sign each pair."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://|//", path):
        raise NotACall("PATH is a whole URL: give what comes after the account's base URL")
    place, _, behind = path.partition("?")
    if re.search(r"[\x00-\x20\x7f\\#]", place):
        raise NotACall("PATH has a space, a backslash, a # or a control character: write it as %20, %5C, %23, …")
    if {".", ".."} & set(unquote(place).split("/")) or "\\" in unquote(place):
        raise NotACall("PATH has a part that is . or ..: write the path that is meant")
    return "/" + quote(place.lstrip("/"), safe="/%:@!$&'()*+,;=~"), tuple(parse_qsl(behind, keep_blank_values=True))


def preview(settings: Settings, destination: str, request: Request) -> Shown:
    """The request as it would be sent; what signing adds is masked and no credential is read."""
    account, vendor = settings.account_of(destination)[1], settings.vendor_of(destination)
    placeholders = Credential({secret.name: MASK for secret in vendor.secrets})
    base = account.base_url or vendor.defaults.base_url
    return shown(request, vendor.sign(request, placeholders, MASK), base)


def actor() -> str:
    """The user of the operating system, by number where it has no name (as in a container)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


# the call ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ByHand:
    """Makes a call for a person."""

    sending: InQuota
    destination: str
    actor: str

    @property
    def account(self) -> Account:
        return self.sending.account

    @property
    def ledger(self) -> Ledger:
        return self.sending.ledger

    async def call(self, request: Request) -> Answered | Refused:
        """Raises NotACall, and LedgerUnavailable while nothing has been sent."""
        if self._asks_for_a_token(request) and (request.method != "POST" or request.body):
            raise NotACall("PATH gives out tokens: POST it without a body; the credential's own request is sent")
        act = Act(self.actor, "call", self.destination, f"{request.method} {request.path}")
        number = await asyncio.to_thread(self.ledger.begin, act)
        outcome = "interrupted"
        try:
            came = await self._called(request)
            outcome = str(came.status) if isinstance(came, Answered) else came.code
            return came
        finally:
            with suppress(LedgerUnavailable):  # the answer is worth more than the note of it
                await asyncio.to_thread(self.ledger.end, number, outcome)

    def _asks_for_a_token(self, request: Request) -> bool:
        flow = self.account.vendor.tokens
        if flow is None:
            return False
        asked = flow.obtain(Credential(dict.fromkeys(self._secrets(), MASK)), self.account.options)
        return re.sub("/+", "/", unquote(request.path)).rstrip("/").lower() == asked.path.lower()

    def _secrets(self) -> list[str]:
        return [secret.name for secret in self.account.vendor.secrets]

    async def _called(self, request: Request) -> Answered | Refused:
        stopped = (await asyncio.to_thread(self.ledger.obstacles)).get(self.account.name)
        if stopped is not None and not self.sending.force:
            return _stopped(Stopped(*stopped))
        flow = self.account.vendor.tokens
        if flow is not None and self._asks_for_a_token(request):
            return await self._sent(request, flow.obtain(self.account.credential(), self.account.options), None)
        access = await self.account.access()
        if isinstance(access, TokenUnavailable):
            return Refused(f"token_{access.reason}", _no_token(access))
        return await self._sent(request, self.account.signed(request, access), access)

    async def _sent(self, request: Request, signed: Request, access: str | None) -> Answered | Refused:
        came = await self.sending.send(signed)
        if isinstance(came, Stopped):
            return _stopped(came)
        if isinstance(came, NoPlace):
            words = f"the quota has no place within {self.sending.patience:g} s: wait longer with --timeout"
            return Refused("quota", words)
        return self._told(came, request, signed, access)

    def _told(
        self, came: Response | CallFailed, request: Request, signed: Request, access: str | None
    ) -> Answered | Refused:
        if isinstance(came, CallFailed):
            if came.kind == "unknown":
                words = f"no answer that can be read ({came.code}): the vendor may have acted"
                return Refused(f"unknown: {came.code}", words, reached=True)
            return Refused(f"not sent: {came.code}", f"not sent ({came.code})", reached=True)
        masked = self._mask(request, signed, {access or "", *self._issued(came)})
        headers = {name: masked(value) for name, value in came.headers.items()}
        return Answered(came.status, headers, masked(came.body.decode("utf-8", "replace")))

    def _issued(self, came: Response) -> set[str]:
        """The tokens that an answer gives out."""
        token = self.account.vendor.tokens.read(came) if self.account.vendor.tokens else None
        return {token.access, token.refresh or ""} if isinstance(token, Token) else set()

    def _mask(self, request: Request, signed: Request, tokens: set[str]) -> Callable[[str], str]:
        """Takes out of a text what a vendor must not echo to a terminal: credential, token, signature."""
        credential = self.account.credential()
        added = [value for name, value in signed.query if (name, value) not in request.query]
        added += [value.rpartition(" ")[2] for name, value in signed.headers if (name, value) not in request.headers]
        secrets = {*added, *credential.values.values(), *tokens}
        plain = {secret for secret in secrets if len(secret) >= SECRET_LENGTH}
        quoted = {quote(secret, safe="") for secret in plain} | {secret.replace("/", "\\/") for secret in plain}
        forms = sorted(plain | quoted, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, forms))) if forms else None
        return lambda text: pattern.sub(MASK, text) if pattern else text


_WHY = {
    "throttled": "the vendor asked to be left alone",
    "failing": "its calls failed; workers probe it",
    "unauthorized": "the vendor refused the credential; workers probe it",
    "token_server": "its token server gives out no token; workers probe it",
}


def _no_token(unavailable: TokenUnavailable) -> str:
    answer = unavailable.answer
    if unavailable.reason == "refused":
        why = f"the vendor refuses the credential ({answer})"
    elif answer == "200":
        why = "the token server answered 200, with nothing that can be read as a token"
    elif answer.isdecimal():
        why = f"the token server answered {answer}"
    else:
        why = f"the token server does not answer ({answer})" if answer else "the token server does not answer"
    return f"{why}: there is no token"


def _stopped(stopped: Stopped) -> Refused:
    if stopped.reason == "quota":
        return Refused("quota", "the ledger's quota for this account is another one: use the workers' settings")
    why = _WHY.get(stopped.reason, stopped.reason)
    if stopped.reason == "throttled":
        return Refused("paused", f"the account is paused for {stopped.seconds:.0f} s more ({why}); --force calls it")
    return Refused(
        "held", f"the account has been held for {stopped.seconds:.0f} s ({why}); --force calls it all the same"
    )
