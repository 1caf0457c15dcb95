"""The sandbox's page: accounts, what they counted and refused, and every subscriber's calendar. No external asset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from html import escape
from typing import Any
from urllib.parse import quote

from pipeline.sandbox.hosted import Hosted

CALENDARS_SHOWN = 12
ENTRIES_SHOWN = 8

Entry = Mapping[str, Any]


def page(accounts: Iterable[Hosted], now: float) -> str:
    """The whole page as HTML; `now` in Unix seconds."""
    sections = "".join(_account(hosted, now) for hosted in accounts)
    clock = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%S UTC")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Calends sandbox</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="2"><style>{STYLE}</style></head><body>'
        f"<header><h1>Calends sandbox</h1><p>Simulated calendar vendors · {clock}</p></header>"
        f"<main>{sections}</main></body></html>"
    )


def _account(hosted: Hosted, now: float) -> str:
    entries = hosted.vendor.entries(now)
    return (
        f'<section><h2>{escape(hosted.account.name)} <span class="tag">{escape(hosted.account.vendor)}</span>'
        f"{_faults(hosted, now)}</h2>{_figures(hosted, now)}{_calendars(hosted.account.name, entries, now)}</section>"
    )


def _faults(hosted: Hosted, now: float) -> str:
    active = hosted.faults.active(now)
    return "".join(
        f' <span class="tag bad">{escape(name)}: {escape(str(value))}</span>' for name, value in active.items()
    )


def _figures(hosted: Hosted, now: float) -> str:
    counts, verdict = hosted.counters(now), hosted.judgement(now)
    quota = " · ".join(f"{w['worst']}/{w['calls']} in {w['seconds']:g} s" for w in counts["worst_windows"])
    figures = [
        ("calls", f"{counts['calls']:,}", False),
        ("entries", f"{verdict['items']:,}", False),
        ("doubles", f"{verdict['double_count']:,}", verdict["double_count"] > 0),
        ("over quota", f"{counts['refused_429']:,}", counts["refused_429"] > 0),
        ("refused or failed", f"{_failures(counts['by_status']):,}", False),
        ("worst window", quota or "no quota", False),
    ]
    return '<dl class="figures">' + "".join(_figure(*figure) for figure in figures) + "</dl>"


def _failures(by_status: Mapping[str, int]) -> int:
    return sum(count for status, count in by_status.items() if not status.startswith("2") and status != "429")


def _figure(name: str, value: str, is_bad: bool) -> str:
    return f"<div{' class=bad' if is_bad else ''}><dt>{name}</dt><dd>{escape(value)}</dd></div>"


def _calendars(account: str, entries: list[dict[str, Any]], now: float) -> str:
    grouped: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        grouped[entry["calendar"]].append(entry)
    if not grouped:
        return '<p class="quiet">No entry in any calendar yet.</p>'
    shown = sorted(grouped.items())[:CALENDARS_SHOWN]
    cards = "".join(_calendar(account, name, kept, now) for name, kept in shown)
    more = len(grouped) - len(shown)
    rest = f'<p class="quiet">and {more:,} more calendars</p>' if more else ""
    return f'<div class="cards">{cards}</div>{rest}'


def _calendar(account: str, name: str, entries: list[Entry], now: float) -> str:
    today = datetime.fromtimestamp(now, UTC).date().isoformat()
    ahead = sorted((e for e in entries if (e["end"] or e["start"]) >= today), key=lambda entry: str(entry["start"]))
    rows = "".join(map(_row, ahead[:ENTRIES_SHOWN])) or '<li class="quiet">nothing ahead</li>'
    more = len(entries) - len(ahead[:ENTRIES_SHOWN])
    rest = f'<p class="quiet">and {more:,} more</p>' if more else ""
    link = f"/_feed/{quote(account, safe='')}/{quote(name, safe='')}.ics"
    return (
        f'<article><h3 title="{escape(name)}">{escape(name)}</h3><ol>{rows}</ol>{rest}'
        f'<a href="{link}">iCalendar feed</a></article>'
    )


def _row(entry: Entry) -> str:
    day, _, time = str(entry["start"]).partition("T")
    when = date.fromisoformat(day)
    place = f"{time[:5] or 'all day'} · {entry['location']}".rstrip(" ·")
    return (
        f"<li><time><b>{when.day}</b>{when.strftime('%b')}</time>"
        f"<div><strong>{escape(entry['title'])}</strong><span>{escape(place)}</span></div></li>"
    )


STYLE = """
:root{color-scheme:light dark;--page:#f6f5f1;--card:#fff;--ink:#1d1f24;--quiet:#6d707a;--line:#e3e1d9;--mark:#a8321f;
--bad:#b3261e;--soft:#fbeceb}
@media(prefers-color-scheme:dark){:root{--page:#15171b;--card:#1e2127;--ink:#e9e8e4;--quiet:#9a9da6;--line:#30343c;
--mark:#ff8a70;--bad:#ff8a80;--soft:#3a2222}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
header,main{max-width:1120px;margin:auto;padding:0 24px}
header{padding-top:32px}
h1{font:600 28px/1.2 Georgia,serif;margin:0}
header p,.quiet{color:var(--quiet)}header p{margin:4px 0 0}
section{margin:28px 0 44px}
h2{font:600 20px/1.3 Georgia,serif;margin:0 0 12px;padding-bottom:8px;border-bottom:1px solid var(--line)}
.tag{font:500 12px/1 system-ui,sans-serif;padding:3px 8px;border:1px solid var(--line);border-radius:99px;
color:var(--quiet);vertical-align:2px}
.tag.bad{color:var(--bad);border-color:var(--bad);background:var(--soft)}
.figures{display:flex;flex-wrap:wrap;gap:10px 34px;margin:0 0 18px}
dt{font-size:12px;color:var(--quiet)}dd{margin:0;font-size:20px;font-variant-numeric:tabular-nums}
.figures .bad dd{color:var(--bad)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:16px}
article{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
h3{font:500 12px/1.4 ui-monospace,monospace;color:var(--quiet);margin:0 0 8px;overflow:hidden;text-overflow:ellipsis;
white-space:nowrap}
ol{list-style:none;margin:0;padding:0}
li{display:flex;gap:12px;padding:7px 0;border-top:1px solid var(--line)}li:first-child{border-top:0}
time{flex:0 0 38px;text-align:center;font-size:11px;text-transform:uppercase;color:var(--mark)}
time b{display:block;font:600 19px/1.1 Georgia,serif}
li div{min-width:0}li strong,li span{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
li strong{font-weight:600}li span{font-size:13px;color:var(--quiet)}
article p{margin:6px 0 0;font-size:13px}article a{display:inline-block;margin-top:10px;font-size:13px;color:var(--mark)}
"""
