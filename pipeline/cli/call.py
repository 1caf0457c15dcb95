"""`calends call`: any call of a vendor's API, for what no rule needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

import typer

from pipeline.cli.configured import known_destination, sound, with_credential
from pipeline.cli.ledger import opened
from pipeline.cli.options import CANNOT_GO_ON, HERE, PROBLEMS, USAGE, Config, give_up, input_of
from pipeline.cli.sending import sending_of
from pipeline.ledger import Ledger
from pipeline.model.wire import Request, json_or_text
from pipeline.operate.call import Answered, ByHand, NotACall, Refused, actor, preview, wanted
from pipeline.settings import Settings

Where = Annotated[str, typer.Argument(metavar="DESTINATION", help="Whose vendor and account.")]
Method = Annotated[str, typer.Argument(metavar="METHOD", help="GET, POST, PUT, PATCH, DELETE, …")]
PathArgument = Annotated[
    str, typer.Argument(metavar="PATH", help="Below the account's base URL; a query may stand behind it.")
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field", "-f", metavar="NAME=VALUE", help="A field of a JSON body. JSON where it is JSON, else text."
    ),
]
Queries = Annotated[list[str] | None, typer.Option("--query", "-q", metavar="NAME=VALUE", help="A part of the query.")]
Headers = Annotated[list[str] | None, typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="A header.")]
Input = Annotated[str | None, typer.Option("--input", metavar="FILE", help="The body, as it is; - is standard input.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print status, headers and body as JSON for other programs.")]
Include = Annotated[bool, typer.Option("--include", "-i", help="Print the status line and the headers first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the request, secrets masked, and send nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Call an account that is held or paused, inside its quota.")]
Patience = Annotated[
    float, typer.Option("--timeout", min=0.0, metavar="SECONDS", help="How long to wait for the quota.")
]


def call(
    destination: Where,
    method: Method,
    path: PathArgument,
    fields: Fields = None,
    query: Queries = None,
    headers: Headers = None,
    body: Input = None,
    config: Config = HERE,
    as_json: AsJson = False,
    include: Include = False,
    dry_run: DryRun = False,
    force: Force = False,
    timeout: Patience = 30.0,
) -> None:
    """Call a vendor's API: signed, inside the account's quota, and audited in the ledger.

    Ends with 0 where the vendor answers 2xx, with 1 where it answers anything else or not at all.
    """
    settings = sound(config).usable
    known_destination(settings, destination)
    request = _request(method.upper(), path, fields or [], query or [], headers or [], body)
    if dry_run:
        seen = preview(settings, destination, request)
        typer.echo(json.dumps(asdict(seen), ensure_ascii=False, indent=2) if as_json else seen.text())
        return
    with_credential(settings, destination)
    with opened(settings) as ledger:
        try:
            came = asyncio.run(_made(settings, destination, ledger, request, timeout, force))
        except NotACall as error:
            give_up(str(error), USAGE)
    if isinstance(came, Refused):
        give_up(came.words, PROBLEMS if came.reached else CANNOT_GO_ON)
    if as_json or include or came.body:
        typer.echo(_as_json(came) if as_json else "\n".join(_lines(came, include)))
    else:
        typer.echo(_status(came), err=True)
    raise typer.Exit(0 if came.fine else PROBLEMS)


def _request(
    method: str, path: str, fields: Sequence[str], query: Sequence[str], headers: Sequence[str], body: str | None
) -> Request:
    try:
        return wanted(
            method,
            path,
            [_pair(text, "=", "--query") for text in query],
            {name: _value(text) for name, text in (_pair(given, "=", "--field") for given in fields)},
            b"" if body is None else input_of(body),
            [_pair(text, ":", "--header") for text in headers],
        )
    except NotACall as error:
        give_up(str(error), USAGE)


def _pair(text: str, between: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(between)
    if not found or not name.strip():
        give_up(f"{option}: expected NAME{between}VALUE", USAGE)
    return (name, value) if between == "=" else (name.strip(), value.strip())


def _value(text: str) -> Any:
    """`0`, `true`, `null`, `["a"]` and `"0"` are what they are in JSON; the rest is text."""
    return json_or_text(text, _refused)


def _refused(constant: str) -> None:
    """`NaN` and `Infinity` are words here: JSON has no such numbers."""
    raise ValueError(constant)


async def _made(
    settings: Settings, destination: str, ledger: Ledger, request: Request, patience: float, force: bool
) -> Answered | Refused:
    sending = sending_of(settings, destination, ledger, patience, force)
    try:
        return await ByHand(sending, destination, actor()).call(request)
    finally:
        await sending.account.caller.close()


def _as_json(came: Answered) -> str:
    told: Mapping[str, Any] = {"status": came.status, "headers": dict(came.headers), "body": came.content()}
    return json.dumps(told, ensure_ascii=False, indent=2)


def _status(came: Answered) -> str:
    meanings = {status.value: status.phrase for status in HTTPStatus}
    return f"{came.status} {meanings.get(came.status, '')}".rstrip()


def _lines(came: Answered, include: bool) -> list[str]:
    content = came.content()
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=2)
    body = [text] if came.body else []
    if not include:
        return body
    headers = [f"{name}: {value}" for name, value in came.headers.items()]
    return [f"HTTP {_status(came)}", *headers, "", *body]
