"""`calends vendors`: what each vendor can say, and what it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipeline.cli.options import USAGE, AsJson, give_up
from pipeline.operate.vendors import Described, Says, Under, described
from pipeline.rules.language import suggest
from pipeline.vendors import vendors as known_vendors

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One vendor in full. Default: all, a line each.")]

HEAD = ("vendor", "deletes", "subscriptions", "webhooks", "credential", "quota", "batch", "credits", "what it is")


def vendors(name: Name = None, as_json: AsJson = False) -> None:
    """Show what a vendor can say, its options, secrets and limits. Connects to nothing, needs no settings."""
    found = known_vendors()
    if name is not None and name not in found:
        meant = suggest(name, sorted(found))
        words = f"unknown vendor {name}; one of {', '.join(sorted(found))}"
        give_up(f"{words}; {meant}" if meant else words, USAGE)
    told = [described(vendor) for key, vendor in sorted(found.items()) if name in (None, key)]
    if as_json:
        plain: Any = [asdict(one) for one in told]
        typer.echo(json.dumps(plain[0] if name else plain, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(_whole(told[0]) if name else _table(told)))


def _table(told: Sequence[Described]) -> Iterator[str]:
    rows = [HEAD, *(_row(one) for one in told)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(one: Described) -> tuple[str, ...]:
    deletes = {under.entry.can_delete for under in one.says}
    return (
        one.name,
        "by option" if len(deletes) > 1 else "yes" if True in deletes else "no",
        "yes" if any(under.subscription for under in one.says) else "no",
        "yes" if one.webhooks else "no",
        one.authentication,
        _windows(one),
        str(one.batch),
        "yes" if one.credits else "no",
        one.title,
    )


def _windows(one: Described) -> str:
    return ", ".join(f"{calls} in {seconds:g} s" for calls, seconds in one.windows)


def _credits(one: Described) -> str:
    return (
        ", ".join(f"{cost:g} for {'an' if step[0] in 'aeiou' else 'a'} {step}" for step, cost in one.credits.items())
        or "none are counted"
    )


def _whole(one: Described) -> Iterator[str]:
    yield f"{one.name}: {one.title}"
    for under in one.says:
        yield from _under(under)
    yield from _section("options, under the destination's `options`", _options(one))
    yield from _section("credential, under the account's `credential`", _credential(one))
    yield from _section("limits, unless the account says otherwise", _limits(one))
    yield from ("", f"webhooks: {'yes' if one.webhooks else 'none'}")
    if one.secret_links:
        yield "links:    some may hold a password; outcomes that carry them need a key_file"


def _under(under: Under) -> Iterator[str]:
    where = ", ".join(f"{name}: {value}" for name, value in under.options.items())
    behind = f" ({where})" if where else ""
    yield from _section(f"an entry{behind}", _says(under.entry))
    if under.subscription:
        yield from _section(f"a subscription{behind}", _says(under.subscription))


def _section(title: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    found = list(lines)
    yield ""
    yield f"{title}:"
    yield from (f"  {line}" for line in found or ["none"])


def _says(says: Says) -> Iterator[str]:
    yield "required: " + (", ".join(says.required) or "nothing")
    yield from (f"needs:    {words}" for words in says.needs)
    yield "optional: " + (", ".join(says.optional) or "nothing")
    if says.own:
        yield "own:      " + ", ".join(f"{name} ({kind})" for name, kind in says.own.items())
    yield "deleted:  " + ("yes" if says.can_delete else "never")
    yield "for whom: " + ("a subscriber, by the vendor's id" if says.needs_identity else "no subscriber is needed")


def _options(one: Described) -> Iterator[str]:
    for option in one.options:
        values = f"one of {', '.join(option.choices)}" if option.choices else ""
        default = "" if option.default is None else f"default {option.default}"
        more = "; ".join(part for part in ("required" if option.required else "", values, default) if part)
        yield f"{option.name}: {option.help}" + (f" ({more})" if more else "")


def _credential(one: Described) -> Iterator[str]:
    for secret in one.secrets:
        yield f"{secret.name}: {secret.help}" + ("" if secret.required else " (optional)")
    yield (
        "it is exchanged for access tokens, which are renewed"
        if one.authentication == "token"
        else "it does not expire"
    )


def _limits(one: Described) -> Iterator[str]:
    yield f"base_url:    {one.base_url}"
    yield f"quota:       {_windows(one)}"
    yield f"concurrency: {one.concurrency} calls at once to begin with, more while they are needed and answered"
    yield f"batch:       {one.batch} {'entry' if one.batch == 1 else 'entries'} in a call at most"
    yield f"credits:     {_credits(one)}"
    yield f"timeout:     {one.timeout:g} s"
    why = ", except that it is looked into at once" if one.recover_at_once else ""
    yield f"settle_time: {one.settle_time:g} s after an answer that was lost{why}"
