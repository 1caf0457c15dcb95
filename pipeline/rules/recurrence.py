"""Recurrence rules as RFC 5545 (section 3.3.10) has them: its parts, what each takes, and what goes together.

What is wrong is said in the RFC's words alone: a rule may come out of an event, and is never quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache

from pipeline.model.when import REMEMBERED
from pipeline.rules.language import nearest

ANY = "a recurrence rule such as FREQ=WEEKLY;COUNT=10"
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", "MINUTELY", "SECONDLY")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BY_DAY = re.compile(rf"(?P<nth>[+-]?\d{{1,2}})?({'|'.join(_DAYS)})", re.ASCII)
_RANGES = {
    "INTERVAL": (1, 10**6), "COUNT": (1, 10**6), "BYSECOND": (0, 60), "BYMINUTE": (0, 59), "BYHOUR": (0, 23),
    "BYMONTHDAY": (-31, 31), "BYYEARDAY": (-366, 366), "BYWEEKNO": (-53, 53), "BYMONTH": (1, 12),
    "BYSETPOS": (-366, 366),
}  # fmt: skip
"""The least and the greatest number of a part. Of one that counts from the end too, zero is none."""
_ALONE = ("INTERVAL", "COUNT")
PARTS = ("FREQ", "UNTIL", "WKST", "BYDAY", *_RANGES)
_NOT_WITH: Mapping[str, tuple[str, ...]] = {
    "BYWEEKNO": tuple(one for one in _FREQUENCIES if one != "YEARLY"),
    "BYYEARDAY": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYMONTHDAY": ("WEEKLY",),
}
"""Part → frequencies with which the RFC forbids it."""


@lru_cache(REMEMBERED)
def fault(rule: str) -> str:
    """What is expected instead, of a rule without its name; empty: nothing is wrong with it."""
    if not re.fullmatch(r"FREQ=[A-Z]+(;[A-Z]+=[A-Za-z0-9,+:-]+)*", rule, re.ASCII):
        return ANY
    pairs = [part.split("=") for part in rule.split(";")]
    parts = dict(pairs)
    if len(parts) < len(pairs):
        return "each part of a recurrence rule once"
    return next((found for name, value in pairs if (found := _part(name, value))), "") or next(_together(parts), "")


def meant(rule: str) -> str:
    """What to write instead of a rule that stands there as it is; empty where nothing is near."""
    for part in rule.removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        near = nearest(name, PARTS) if name not in PARTS else None
        days = re.findall(r"(?:^|,)([+-]?\d{0,2})(MON|TUE|WED|THU|FRI|SAT|SUN)[A-Z]*(?=,|$)", value.upper())
        if near is not None:
            return f"did you mean {near}?"
        if name == "BYDAY" and len(days) == value.count(",") + 1:
            return f"write BYDAY={','.join(nth + day[:2] for nth, day in days)}"
    return ""


def _part(name: str, value: str) -> str:
    """What one part should be."""
    match name:
        case "FREQ":
            wrong, expected = value not in _FREQUENCIES, f"{ANY}; FREQ is one of {', '.join(_FREQUENCIES)}"
        case "WKST":
            wrong, expected = value not in _DAYS, "WKST as one of " + " ".join(_DAYS)
        case "UNTIL":
            wrong, expected = not _is_until(value), "UNTIL as 20261224 or 20261224T090000Z"
        case "BYDAY":
            wrong = not all(_is_by_day(one) for one in value.split(","))
            expected = "BYDAY as days such as MO,TU or 1MO,-1FR, of " + " ".join(_DAYS)
        case _ if name in _RANGES:
            wrong, expected = not _is_numbers(name, value), _numbers(name)
        case _:
            wrong, expected = True, "only these parts in a recurrence rule: " + " ".join(PARTS)
    return expected if wrong else ""


def _together(parts: Mapping[str, str]) -> Iterator[str]:
    """What the RFC forbids of parts that are right alone."""
    frequency = parts["FREQ"]
    if "COUNT" in parts and "UNTIL" in parts:
        yield "COUNT or UNTIL, not both"
    for name, forbidden in _NOT_WITH.items():
        if name in parts and frequency in forbidden:
            yield f"no {name} in a rule with FREQ={frequency}"
    if re.search(r"\d", parts.get("BYDAY", "")) and (frequency not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts):
        yield "BYDAY without numbers: they go with FREQ=MONTHLY, or with FREQ=YEARLY without BYWEEKNO"
    if "BYSETPOS" in parts and not any(name.startswith("BY") for name in parts if name != "BYSETPOS"):
        yield "BYSETPOS beside another BY… part, such as BYDAY"


def _is_until(value: str) -> bool:
    if not re.fullmatch(r"\d{8}(T\d{6}Z?)?", value, re.ASCII):
        return False
    try:
        datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S" if "T" in value else "%Y%m%d")
    except ValueError:
        return False
    return True


def _is_by_day(value: str) -> bool:
    match = _BY_DAY.fullmatch(value)
    return match is not None and (match["nth"] is None or 1 <= abs(int(match["nth"])) <= 53)


def _is_numbers(name: str, value: str) -> bool:
    least, greatest = _RANGES[name]
    written = value.split(",")
    if name in _ALONE and len(written) > 1:
        return False
    if not all(re.fullmatch(r"[+-]?\d{1,7}", one, re.ASCII) for one in written):
        return False
    numbers = [int(one) for one in written]
    signed = least < 0 or not re.search(r"[+-]", value)
    return signed and all(least <= one <= greatest and (one != 0 or least == 0) for one in numbers)


def _numbers(name: str) -> str:
    least, greatest = _RANGES[name]
    if name in _ALONE:
        return f"{name} as a number from 1, such as {name}=10"
    both = f"1 to {greatest}, or -1 to {least} from the end" if least < 0 else f"{least} to {greatest}"
    return f"{name} as numbers of {both}"
