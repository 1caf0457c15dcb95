"""The thirteen things that must never happen: of each, how many chances a round gave it, and the breaches. Pure.

Judged by what the vendor saw and by an oracle of our own; the ledger is only asked for what a vendor cannot know.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from math import inf
from typing import Any

from tests.chaos.expected import FIELDS, PERSONAL_CALENDARS, Expected, calendars, dead, expected, mortal, vendor_key
from tests.chaos.links import Departure
from tests.chaos.observation import Observation, Spent, Stop, Stored, Struck
from tests.chaos.stage import GRACE, SECRETS, TIMEOUT
from tests.chaos.story import E_MAIL, REFUSED, headers_of

MARK = re.compile(r"\b([nv])(\d+)$")
OBEYED_WITHIN, BUSY, STARVED = 0.25, 0.15, 0.1
"""Seconds: within which a pause is obeyed; gaps and waits from which on this machine is too busy to judge it."""
GOOD_BYE, ENDED = 3.0, 0.5
"""Seconds beyond the grace period: where Kafka is gone, and else, until the process is seen to have ended."""
PROBES: Mapping[str, tuple[str, set[str]]] = {
    "ecal": ("/apiv2/event", {"limit=1"}),
    "calreply": ("/v1/subscription/00000000-0000-0000-0000-000000000000", set()),
    "apptoto": ("/v1/events", {"page_size=1"}),
    "pages": ("/event/latest", set()),
}
"""What a held account is asked, to see whether it is well: the only call that a hold allows, beside one for a token."""
MOST_BYTES, MOST_GROWTH = 220 << 20, 80 << 20
OUTAGES = ("outage-503", "outage-closed", "credential-revoked", "token-outage")
PARTLY = ("errors", "lost-close", "lost-500", "lost-hang", "late-acts", "slow-bodies", "malformed", "huge", "redirects")
"""Faults of single answers, for which an entry may be blamed while others are accepted."""
LATE = 0.25
"""Seconds by which the time-out of a call may be late."""
ELSEWHERE = ("worker", "broker", "rebalance", "ledger", "net")
"""Kinds of faults, by their first word, that hurt more than one vendor."""
PLANTED = (*SECRETS.values(), "Zuleika", "Quenneville", E_MAIL, "BK-")


@dataclass(frozen=True)
class Verdict:
    number: int
    chances: int
    breaches: tuple[str, ...]


def judge(seen: Observation) -> list[Verdict]:
    """One verdict for each promise, in their order."""
    return [Verdict(n, *_counted(promise(seen))) for n, promise in enumerate(PROMISES, 1)]


Judged = Iterator[int | str]
"""Numbers are chances, texts breaches."""


def _counted(judged: Judged) -> tuple[int, tuple[str, ...]]:
    found = list(judged)
    return sum(one for one in found if isinstance(one, int)), tuple(one for one in found if isinstance(one, str))


def _vendors(seen: Observation) -> Iterator[tuple[str, Expected, dict[str, Any]]]:
    """Of each destination: what should stand there, and what does, by key; of two, the last."""
    for name, vendor in seen.vendors.items():
        yield name, expected(seen.plan.events, name), {entry["key"]: entry for entry in vendor.entries}


# 1 to 13 -----------------------------------------------------------------------------------------------------------


def nothing_is_lost(seen: Observation) -> Judged:
    yield len(seen.plan.events)
    if seen.converged is None:
        yield "not all quiet at the end: " + str(
            dict(Counter((row.destination, row.state) for row in seen.ledger.rows))
        )
    for place, end in seen.ends.items():
        if seen.ledger.offsets.get(place, 0) < end:
            yield f"{place} is read to {seen.ledger.offsets.get(place, 0)} of {end}"
    for name, wanted, there in _vendors(seen):
        yield len(wanted)
        yield from (
            f"{name}: {key} is not there: {_known(seen, name, key)}" for key in sorted(wanted.keys() - there.keys())
        )
        yield from (
            f"{name}: {key} should not be there: {_known(seen, name, key)}"
            for key in sorted(there.keys() - wanted.keys())
        )
    buried = Counter(letter.value or b"" for letter in seen.letters)
    for value, least in dead(seen.plan.events, len(seen.vendors), seen.base).items():
        yield least
        if buried[value] < least:
            yield f"{buried[value]} dead letters of {least} for {value[:40]!r}"
    yield from (f"{log} ended by itself with {code}" for log, code in seen.ended.items())


def _known(seen: Observation, name: str, key: str) -> str:
    """What the ledger holds of an entry, and what its vendor was asked: seconds, method, status."""
    state = next(
        (one.state for one in seen.ledger.rows if (one.destination, vendor_key(name, one.key)) == (name, key)),
        "nothing",
    )
    calls = [one for one in seen.vendors[name].arrivals if one[2] == key]
    told = ", ".join(f"{at - seen.base:.2f} {method} {status}" for at, method, _, status in calls[-6:])
    return f"{state} in the ledger; {told or 'no call'}"


def nothing_is_double(seen: Observation) -> Judged:
    for name, vendor in seen.vendors.items():
        yield len(vendor.writes)
        yield from (f"{name}: two of {key}" for key in vendor.doubles)


def nothing_older_after_newer(seen: Observation) -> Judged:
    for name, vendor in seen.vendors.items():
        for key, writes in vendor.writes.items():
            marks = [found.groups() for _, kind, title in writes if kind != "delete" and (found := MARK.search(title))]
            for layer in "nv":
                versions = [int(number) for of, number in marks if of == layer]
                yield max(0, len(versions) - 1)
                yield from (f"{name}: {key} {layer}{b} after {layer}{a}" for a, b in pairwise(versions) if b < a)
    for name, wanted, there in _vendors(seen):
        for key in wanted.keys() & there.keys():
            yield 1
            if there[key]["title"] != wanted[key]["title"]:
                yield f"{name}: {key} ends as {there[key]['title'][-3:]}, not {wanted[key]['title'][-3:]}"


def quota_is_kept(seen: Observation) -> Judged:
    for name, vendor in seen.vendors.items():
        calls = sorted(at for at, method, key, _ in vendor.arrivals if method != "POST" or key)
        for most, seconds in seen.plan.windows(name):
            yield len(calls)
            for count, at in _above(calls, most, seconds):
                yield f"{name}: {count} calls of {most} in {seconds:g} s that end {at - seen.base:.2f} s in"
        if not any(fault.kind.startswith("throttled") and fault.target == name for fault in seen.plan.faults):
            yield 1
            if vendor.refused_429:
                yield f"{name}: {vendor.refused_429} calls were refused as too many"


def _above(calls: Sequence[float], most: int, seconds: float) -> Iterator[tuple[int, float]]:
    """The windows with too many calls: how many, and when they end."""
    window: deque[float] = deque()
    for at in calls:
        window.append(at)
        while window[0] <= at - seconds:
            window.popleft()
        if len(window) > most:
            yield len(window), at


def pauses_are_obeyed(seen: Observation) -> Judged:
    """Judged where we ourselves could look into the ledger all the time: else no worker could. Where this machine was
    too busy, a call may leave later by as long as a worker waited for a CPU, or we for the network's loop."""
    blind = [one for one in seen.struck if one.fault.target.startswith("ledger/")]
    for account in seen.vendors:
        mine = [one for one in seen.stored if one.account == account]
        left = [one.at for one in seen.departures if _is_call(one, account)]
        for since, until in _pauses(mine, seen):
            judged = since + OBEYED_WITHIN + _delay(seen, since, since + 1.0) < until
            if not judged or any(one.began - 1.0 < since < one.ended + 1.0 for one in blind):
                continue
            yield 1
            late = [at for at in left if since + OBEYED_WITHIN < at < until]
            early = [at - since for at in late if at > since + OBEYED_WITHIN + _delay(seen, since, at)]
            if early:
                yield f"{account}: {len(early)} calls in a pause, the first {min(early):.3f} s after it was stored"


def _delay(seen: Observation, since: float, until: float) -> float:
    """Seconds by which this machine may have kept a departure back: none where it had time for all."""
    if not (_busy(seen.looks, since) or _busy(seen.beats, since) or _starved(seen.starved, since)):
        return 0.0
    near = [seconds for at, seconds in seen.starved if since - 0.3 < at < until + 0.2]
    if len(near) < 2 or near[-1] < near[0]:  # nobody looked, or who had waited has ended
        return inf
    beats = [since - 0.3, *(beat for beat in seen.beats if since - 0.3 < beat < until + 0.2), until + 0.2]
    return near[-1] - near[0] + max(later - earlier for earlier, later in pairwise(beats))


def _is_call(one: Departure, account: str) -> bool:
    """Searches are calls too; a probe, and a request for a token, are none."""
    path, _, query = one.path.partition("?")
    ends, asks = PROBES[account]
    signed = {part for part in query.split("&") if part and not part.startswith(("apiKey=", "apiSign="))}
    probe = one.method == "GET" and path.endswith(f"/{account}{ends}") and signed == asks
    return f"/{account}/" in path and not probe and "oauth2" not in path


def _busy(beats: Sequence[float], at: float) -> bool:
    near = [beat for beat in beats if at - 0.3 < beat < at + 1.0]
    return any(later - earlier > BUSY for earlier, later in pairwise([at - 0.3, *near, at + 1.0]))


def _starved(waited: Sequence[tuple[float, float]], at: float) -> bool:
    """Whether the workers had to wait for a CPU while they should have learnt of a pause."""
    near = [seconds for when, seconds in waited if at - 0.3 < when < at + 0.6]
    return len(near) < 2 or not 0 <= near[-1] - near[0] < STARVED


def _pauses(stored: Sequence[Stored], seen: Observation) -> Iterator[tuple[float, float]]:
    """From when to when the account was not to be called. An end was seen after it came: it may have come as soon as we
    had last looked."""
    end = max((d.at for d in seen.departures), default=seen.base) + 1.0
    for one, after in zip_longest(stored, stored[1:]):
        until = max((look for look in seen.looks if look < after.at), default=after.at) if after is not None else end
        if one.held is not None:
            yield one.at, until
        elif one.paused_until is not None and one.paused_until > one.at:
            yield one.at, min(one.paused_until, until)


def outages_cost_nothing(seen: Observation) -> Judged:
    for vendor in seen.vendors.values():
        yield sum(status == 0 or status >= 500 or status in (401, 403, 429) for _, _, _, status in vendor.arrivals)
    may = mortal(seen.plan.events, seen.base)
    yield from (f"a dead letter for {letter.key!r}" for letter in seen.letters if (letter.value or b"") not in may)
    refused = {event.data["key"] for event in seen.plan.events if event.data.get("title", "").startswith(REFUSED)}
    yield from (
        f"{row.destination}: {row.key} is dead"
        for row in seen.ledger.rows
        if row.state == "dead" and row.key not in refused
    )
    for one in seen.spent:
        if one.key not in refused and not any(_explains(strike, one) for strike in seen.struck):
            before = f"{one.before - seen.base:.2f} s" if one.before else "never"
            when = f"{one.ended - seen.base:.2f} s, having failed before: {before}"
            yield f"{one.destination}: {one.key} spent an attempt ({one.error}) at {when}"


def _explains(strike: Struck, one: Spent) -> bool:
    """Whether the vendor answered some well and others badly while the call was under way. What a whole outage costs,
    and what fails for no reason that we know of, nothing explains."""
    partly = strike.fault.kind in PARTLY and strike.fault.target == one.destination
    return partly and strike.began < one.ended and one.ended - TIMEOUT - LATE < strike.ended


def nobody_stops_another(seen: Observation) -> Judged:
    """The healthy destinations go on while one is out, where nothing else hurts them and they had just been going."""
    everywhere = [one for one in seen.struck if one.fault.kind.partition("-")[0] in ELSEWHERE]
    for one in seen.struck:
        if one.fault.kind not in OUTAGES or any(_overlap(one, other) for other in everywhere):
            continue
        # There is work for all as long as events come.
        until = min(one.ended, seen.base + 6.0)
        for name in seen.vendors.keys() - {one.fault.target} if until - one.began > 1.0 else ():
            good = [at for at, _, _, status in seen.vendors[name].arrivals if 0 < status < 400]
            going = any(one.began - 1.5 < at < one.began for at in good)
            if not going or any(other.fault.target == name and _overlap(one, other) for other in seen.struck):
                continue
            yield 1
            if not any(one.began < at < until for at in good):
                yield f"nothing was delivered to {name} during {one.fault}"
    yield sum(event.raw is not None for event in seen.plan.events)
    stuck = [place for place, end in seen.ends.items() if seen.ledger.offsets.get(place, 0) < end]
    yield from (f"partition {place} did not go on" for place in stuck)


def _overlap(one: Struck, other: Struck) -> bool:
    return one.began - 2.0 < other.ended and other.began < one.ended + 2.0


def nothing_is_told(seen: Observation) -> Judged:
    headers = "\n".join(
        f"{name}: {(value or b'').decode('utf-8', 'replace')}"
        for letter in seen.letters
        for name, value in letter.headers
        if name.startswith(("calends-", "__connect"))
    )
    for name, text in {**seen.told, "dead-letter headers": headers}.items():
        yield text.count("\n")
        for planted in PLANTED:
            if planted in text:
                line = next(line for line in text.splitlines() if planted in line)
                yield f"{planted!r} stands in {name}: {line[:160]}"


def letters_are_whole(seen: Observation) -> Judged:
    for letter in seen.letters:
        yield 1
        headers = headers_of(letter.value or b"")
        as_was = (letter.key, letter.value) in seen.published and list(letter.headers[: len(headers)]) == headers
        if not as_was:
            yield f"a dead letter with the key {letter.key!r} is not what was published"
    if seen.replayed is not None:
        name, there = seen.replayed.destination, {entry["key"]: entry for entry in seen.replayed.entries}
        if seen.replayed.code != 0:
            yield f"{name}: the replay of its dead letters ended with {seen.replayed.code}"
        for key, wanted in expected(seen.plan.events, name, refused=True).items():
            yield 1
            if any(there.get(key, {}).get(field) != wanted[field] for field in FIELDS):
                yield f"{name}: {key} is not there as its dead letter says, after it was replayed"


def memory_is_bounded(seen: Observation) -> Judged:
    for least, most in seen.memory:
        yield 1
        if most > MOST_BYTES or most - least > MOST_GROWTH:
            yield f"a worker grew from {least >> 20} to {most >> 20} MB"
    idle = [row for row in seen.ledger.rows if row.state == "idle"]
    yield len(idle)
    yield from (f"{row.destination}: {row.key} is settled and keeps its records" for row in idle if row.kept_raws)
    if seen.ledger.outbox:
        yield f"{seen.ledger.outbox} messages stay in the outbox"


def stops_are_quick(seen: Observation) -> Judged:
    for stop in seen.stops:
        yield 1
        longest = GRACE + (GOOD_BYE if any(_without_kafka(one, stop) for one in seen.struck) else ENDED)
        if stop.seconds > longest or stop.code != 0:
            yield f"a stop took {stop.seconds:.1f} s of {longest:g} and ended with {stop.code}"


def _without_kafka(one: Struck, stop: Stop) -> bool:
    """Whether Kafka, or the way there, was away in the course of a stop, or had only just come back."""
    kafka = one.fault.kind.startswith("broker") or one.fault.target.startswith("kafka/")
    return kafka and one.began < stop.at + stop.seconds and stop.at < one.ended + 5.0


def fields_arrive(seen: Observation) -> Judged:
    for name, wanted, there in _vendors(seen):
        for key in sorted(wanted.keys() & there.keys()):
            for field in FIELDS:
                yield 1
                if there[key].get(field) != wanted[key][field] and field != "calendar":
                    yield f"{name}: {key} has another {field}"


def calendars_are_their_own(seen: Observation) -> Judged:
    unlinked = {event.data["key"] for event in seen.plan.events if event.data.get("person") == "P-unlinked"}
    for name, wanted, there in _vendors(seen):
        for key in sorted(wanted.keys() & there.keys()):
            yield 1
            if there[key]["calendar"] != wanted[key]["calendar"]:
                yield f"{name}: {key} is in a calendar that is not its own"
        may = calendars(seen.plan.events, name)
        for key, homes in sorted(seen.vendors[name].homes.items()):
            yield len(homes)
            if not may.get(key, set()) >= set(homes):
                yield f"{name}: {key} has stood in a calendar that is not its own"
        for key in sorted(unlinked if name in PERSONAL_CALENDARS else ()):
            yield 1
            if vendor_key(name, key) in seen.vendors[name].writes:
                yield f"{name}: {key} was sent although nobody is linked"


PROMISES: tuple[Callable[[Observation], Judged], ...] = (
    nothing_is_lost,
    nothing_is_double,
    nothing_older_after_newer,
    quota_is_kept,
    pauses_are_obeyed,
    outages_cost_nothing,
    nobody_stops_another,
    nothing_is_told,
    letters_are_whole,
    memory_is_bounded,
    stops_are_quick,
    fields_arrive,
    calendars_are_their_own,
)
TITLES = (
    "no event without a change or a dead letter",
    "no two items for one key",
    "nothing older after newer",
    "no window over its quota",
    "no call 250 ms after a pause was stored",
    "no outage that costs attempts or dead letters",
    "nobody that stops another",
    "no secret and nothing personal told",
    "no dead letter that differs from its record",
    "no unbounded memory or disk",
    "no stop over its grace period",
    "no field that does not arrive",
    "no entry in a stranger's calendar",
)
