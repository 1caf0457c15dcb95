"""`calends reconcile`: whether the vendor still holds what it acknowledged, and putting right what it does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from pipeline.cli.bars import progress_bar
from pipeline.cli.configured import known_destination, sound, with_credential
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, PROBLEMS, AsJson, Config, give_up
from pipeline.cli.sending import sending_of
from pipeline.cli.words import moment, table
from pipeline.ledger import Act, Ledger
from pipeline.ledger.drift import Seen
from pipeline.meaning import vendor_keys
from pipeline.operate.call import actor
from pipeline.operate.reader import Halted, Reader
from pipeline.operate.reconcile import Reconciling
from pipeline.settings import Settings, windows_of

Where = Annotated[str, typer.Argument(metavar="DESTINATION", help="Whose vendor is read back.")]
Repair = Annotated[bool, typer.Option("--repair/--dry-run", help="Put right what differs; without it, only report.")]
Again = Annotated[bool, typer.Option("--again", help="Read everything anew, whatever was read before.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Repair also where more is gone than the brake lets pass.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=0, metavar="N", help="Findings shown; 0: all.")]
Patience = Annotated[
    float, typer.Option("--timeout", min=0.0, metavar="SECONDS", help="How long a read waits for the quota.")
]
KINDS = ("changed", "deleted", "doubled")


def reconcile(
    destination: Where,
    config: Config = HERE,
    repair: Repair = False,
    again: Again = False,
    yes: Yes = False,
    limit: Limit = 50,
    as_json: AsJson = False,
    timeout: Patience = 600.0,
) -> None:
    """Read a vendor back and report what differs from what it acknowledged; put it right with --repair.

    Reads take half of the account's quota. May be broken off: begun again, it goes on where it was. Ends with 1 where
    something differs and is not put right.
    """
    settings = sound(config).usable
    known_destination(settings, destination)
    if settings.vendor_of(destination).read_back is None:
        give_up(f"{settings.vendor_of(destination).title} cannot be read back")
    with_credential(settings, destination)
    with opened(settings) as ledger:
        try:
            told = asyncio.run(_done(settings, ledger, destination, repair, again, yes, timeout, not as_json))
        except Halted as error:
            give_up(f"{error}; what was read is kept: run it again and it goes on there")
        except KeyboardInterrupt:
            give_up("broken off; what was read is kept: run it again and it goes on there")
        told["findings"] = list(_findings(ledger, destination, limit))
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else "\n".join(_lines(told, repair)))
    raise typer.Exit(PROBLEMS if _left(told) else 0)


async def _done(
    settings: Settings,
    ledger: Ledger,
    destination: str,
    repair: bool,
    again: bool,
    yes: bool,
    patience: float,
    shown: bool,
) -> dict[str, Any]:
    work = _work(settings, ledger, destination, patience)
    act = await asyncio.to_thread(ledger.begin, Act(actor(), "reconcile", destination, "repair" if repair else "read"))
    outcome = "broken off"
    try:
        seen = None if again or not repair else _unrepaired(ledger, destination)
        if seen is None:
            with progress_bar(shown) as work.progress:
                seen = await work.read(again)
        told = _told(ledger, destination, seen, work)
        if repair:
            _brake(settings, told, yes)
            with progress_bar(shown, "repairing") as work.progress:
                told["repaired"] = dict(await work.repair())
        outcome = _outcome(told)
        return told
    except typer.Exit:
        outcome = "refused"
        raise
    finally:
        await work.reader.sending.account.caller.close()
        await asyncio.to_thread(ledger.end, act, outcome)


def _work(settings: Settings, ledger: Ledger, destination: str, patience: float) -> Reconciling:
    name, account = settings.account_of(destination)
    vendor = settings.vendor_of(destination)
    sending = sending_of(settings, destination, ledger, patience)
    siblings = [one for one in settings.destinations if settings.account_of(one)[0] == name]
    reader = Reader(sending, windows_of(account, vendor))
    return Reconciling(destination, siblings, ledger, reader, vendor_keys(settings, destination))


def _unrepaired(ledger: Ledger, destination: str) -> Seen | None:
    """A reading that has ended, and found what nobody has put right: it need not be read twice."""
    seen = ledger.drift.seen(destination)
    return seen if seen is not None and seen.ended is not None and ledger.drift.open(destination, 1) else None


def _brake(settings: Settings, told: dict[str, Any], yes: bool) -> None:
    gone, entries = told["deleted"], told["looked"]
    if gone > settings.brake.share * entries and gone > 1 and not yes:
        give_up(f"nothing was repaired: {gone} of {entries} entries seem gone; is it the right account? --yes does it")


def _told(ledger: Ledger, destination: str, seen: Seen, work: Reconciling) -> dict[str, Any]:
    counts, found = seen.counts, ledger.drift.counts(destination)
    unread: dict[str, int] = {}
    for name, n in counts.items():
        what, _, reason = name.partition(" ")
        if what in ("unread", "unplaced"):
            unread[reason] = unread.get(reason, 0) + n
    kinds = {kind: sum(n for (one, _), n in found.items() if one == kind) for kind in KINDS}
    return {
        "destination": destination,
        "began": seen.began,
        "entries": counts.get("entries", 0),
        "looked": counts.get("looked", 0),
        "not_in_step": counts.get("moving", 0),
        **kinds,
        "unread": unread,
        "unseen_fields": list(work.reader.back.unseen),
        "strangers": counts.get("strangers", 0),
        "calls": work.reader.calls,
        "repaired": {},
    }


def _findings(ledger: Ledger, destination: str, limit: int) -> Iterator[dict[str, Any]]:
    for one, became in islice(ledger.drift.every(destination), limit or None):
        yield {"key": one.key, "kind": one.kind, "fields": list(one.fields), "ids": list(one.ids), "became": became}


def _left(told: dict[str, Any]) -> int:
    """What differs and is not put right."""
    right = sum(n for became, n in told["repaired"].items() if became in ("marked", "removed", "moved on", "expired"))
    return sum(told[kind] for kind in KINDS) if not told["repaired"] else sum(told["repaired"].values()) - right


def _outcome(told: dict[str, Any]) -> str:
    found = ", ".join(f"{told[kind]} {kind}" for kind in KINDS)
    repaired = ", ".join(f"{n} {became}" for became, n in sorted(told["repaired"].items()))
    return f"{told['looked']} looked at: {found}" + (f"; {repaired}" if repaired else "")


_UNREAD = {
    "protected": "a protected calendar's feed wants a password",
    "subscription": "whether a subscription still runs is the person's own choice",
    "subscription_ended": "the subscription is no longer there",
    "unclear": "the vendor shows no key of ours: changed, deleted or doubled cannot be told apart",
    "no_subscriber": "nobody's calendar is known",
    "no_calendar": "no calendar is known",
    "no_id": "the vendor gave no id, and is not asked by key",
}


def _lines(told: dict[str, Any], repair: bool) -> Iterator[str]:
    yield f"{told['destination']}: {told['looked']:,} of {told['entries']:,} entries compared, {told['calls']:,} calls"
    for kind in KINDS:
        if told[kind]:
            yield f"  {told[kind]:,} {kind}"
    if not any(told[kind] for kind in KINDS):
        yield "  all of them are as they were acknowledged"
    yield from _unknown(told)
    rows = [(one["kind"], one["key"], " ".join(one["fields"]) or "-", one["became"] or "-") for one in told["findings"]]
    if rows:
        yield ""
        yield from table(("what", "key", "the vendor's fields", "repair"), rows)
    if told["repaired"]:
        yield ""
        yield "repaired: " + ", ".join(f"{n:,} {became}" for became, n in sorted(told["repaired"].items()))
        yield f"found by the reading of {moment(told['began'])}; the lane puts right what is marked: calends status"
    elif rows and not repair:
        yield f"nothing was changed; calends reconcile {told['destination']} --repair puts it right"


def _unknown(told: dict[str, Any]) -> Iterator[str]:
    if told["not_in_step"]:
        yield f"  {told['not_in_step']:,} not in step anyway: the lane is at them"
    for reason, n in sorted(told["unread"].items()):
        yield f"  {n:,} cannot be read: {_UNREAD.get(reason, reason)}"
    if told["strangers"]:
        yield f"  {told['strangers']:,} items there that the ledger does not know: not touched"
    if told["unseen_fields"]:
        yield f"  never shown by this vendor, so not compared: {', '.join(told['unseen_fields'])}"
