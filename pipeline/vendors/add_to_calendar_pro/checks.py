"""What Add to Calendar PRO cannot say of a content, field by field, without quoting values.

Formats and lengths are those of the vendor's own widget (add-to-calendar-button, atcb-validate.js, 2026-07): that the
API enforces them is inferred.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.model.entry import Content
from pipeline.vendors.add_to_calendar_pro import dates, markup
from pipeline.vendors.add_to_calendar_pro.defaults import NUMBERS, ORGANIZER, OWN, SECTION, SIMPLE

LONGEST_NAME = 50
LONGEST_EMAIL = 100

_EMAIL = re.compile(r"[^\s@|]+@[^\s@|]+\.[^\s@|]+")
_RULE = re.compile(r"FREQ=[A-Z]+(;[A-Z-]+=[A-Za-z0-9,+:/-]+)*", re.ASCII)
_DAY = "(-?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)"
_SIMPLE = {
    "recurrence_simple_type": ("daily|weekly|monthly|yearly", "daily, weekly, monthly or yearly"),
    "recurrence_byDay": (f"{_DAY}(,{_DAY})*", "days such as 2MO,TU"),
    "recurrence_byMonth": ("(0?[1-9]|1[0-2])(,(0?[1-9]|1[0-2]))*", "months such as 1,2,12"),
    "recurrence_byMonthDay": ("(0?[1-9]|[12][0-9]|3[01])(,(0?[1-9]|[12][0-9]|3[01]))*", "days such as 3,23"),
    "recurrence_weekstart": ("MO|TU|WE|TH|FR|SA|SU", "a day such as MO"),
}
_TYPES: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int}


def problems(content: Content, options: Mapping[str, Any]) -> list[str]:
    own = content.get(SECTION, {})
    found = _own_problems(own)
    if found:
        return found
    return [
        *_group_problems(content, own),
        *_date_problems(content),
        *_description_problems(content, own),
        *_recurrence_problems(content, own),
        *_people_problems(content, own, options),
    ]


def _own_problems(own: Mapping[str, Any]) -> list[str]:
    unknown = [f"{SECTION}.{name} is not a field of the vendor's" for name in own if name not in OWN]
    return unknown + [
        f"{SECTION}.{name} is not a {OWN[name]}"
        for name, value in own.items()
        if name in OWN and type(value) is not _TYPES[OWN[name]]
    ]


def _group_problems(content: Content, own: Mapping[str, Any]) -> list[str]:
    match bool(content.get("collection")), bool(own.get("new_event_group_name")):
        case False, False:
            return [f"collection (the group's prokey) or {SECTION}.new_event_group_name is required"]
        case True, True:
            return [f"collection and {SECTION}.new_event_group_name: only one of them can be said"]
        case _:
            return []


def _date_problems(content: Content) -> list[str]:
    several = dates.neutral(content)
    found = [] if content.get("title") else ["title is required"]
    for at, one in enumerate(several):
        place = f"dates[{at}]: " if content.get("dates") else ""
        found += [f"{place}{problem}" for problem in dates.problems(one) if problem not in found]
    return found


def _description_problems(content: Content, own: Mapping[str, Any]) -> list[str]:
    html = own.get("description_html", "")
    if html and content.get("description"):
        return [f"description and {SECTION}.description_html: only one of them can be said"]
    return [f"{SECTION}.{problem}" for problem in markup.problems(html)]


def _recurrence_problems(content: Content, own: Mapping[str, Any]) -> list[str]:
    rule, simple = content.get("recurrence"), [name for name in SIMPLE if own.get(name) not in (None, "")]
    found = []
    if rule and not _RULE.fullmatch(rule):
        found.append("recurrence: expected a rule such as FREQ=WEEKLY;COUNT=10")
    if rule and simple:
        found.append(f"recurrence and {SECTION}.{simple[0]}: only one of them can be said")
    if (rule or simple) and len(content.get("dates") or ()) > 1:
        found.append("recurrence: not with several dates")
    if simple and SIMPLE[0] not in simple:
        found.append(f"{SECTION}.{simple[0]} needs {SECTION}.{SIMPLE[0]}")
    return [*found, *_simple_problems(own, simple)]


def _simple_problems(own: Mapping[str, Any], simple: list[str]) -> list[str]:
    found = [f"{SECTION}.{name} is 1 or more" for name in NUMBERS if name in simple and own[name] < 1]
    return found + [
        f"{SECTION}.{name}: expected {what}"
        for name, (pattern, what) in _SIMPLE.items()
        if name in simple and not re.fullmatch(pattern, own[name])
    ]


def _people_problems(content: Content, own: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    organizer = [own.get(name, "") for name in ORGANIZER]
    found = []
    if bool(organizer[0]) != bool(organizer[1]):
        found.append(f"{SECTION}.{ORGANIZER[0]} and {SECTION}.{ORGANIZER[1]} go together")
    if all(organizer):
        found += _person_problems([f"{SECTION}.{name}" for name in ORGANIZER], *organizer)
    people = content.get("participants", ())
    return found + (_participant_problems(people, all(organizer), options) if people else [])


def _participant_problems(people: Any, has_organizer: bool, options: Mapping[str, Any]) -> list[str]:
    found = []
    if options.get("participants") != "public":
        found.append("participants: the page is public to anyone with its link; the option participants: public allows")
    if not has_organizer:
        found.append(f"participants: an attendee needs {SECTION}.{ORGANIZER[0]} and {SECTION}.{ORGANIZER[1]}")
    if len(people) > 1:
        return [*found, f"participants: {len(people)} given, the vendor has one attendee"]
    if people[0].get("phone"):
        found.append("participants: an attendee's phone cannot be said")
    one = people[0]
    return [*found, *_person_problems(["participants"] * 2, one.get("name", ""), one.get("email", ""))]


def _person_problems(fields: list[str], name: str, email: str) -> list[str]:
    """`fields`: which one says the name, and which the address."""
    found = [] if 0 < len(name) <= LONGEST_NAME else [f"{fields[0]}: a name of 1 to {LONGEST_NAME} characters"]
    good = len(email) <= LONGEST_EMAIL and _EMAIL.fullmatch(email)
    return found if good else [*found, f"{fields[1]}: an e-mail address of at most {LONGEST_EMAIL} characters"]
