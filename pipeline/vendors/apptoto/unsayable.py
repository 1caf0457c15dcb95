"""What Apptoto cannot say of an entry, in words for the rule's author."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pipeline.model.entry import FIELDS, Content
from pipeline.model.when import BadTime, parse_moment, zone_problems
from pipeline.vendors.apptoto import defaults
from pipeline.vendors.apptoto.payload import BUSY, Options, moment, span

SHOW_AS = range(5)
_PERSON = {"name": str, "email": str, "phone": str}
_CONTACT = {**_PERSON, "contact_id": int, "contact_external_id": str}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def problems(content: Content, options: Options) -> list[str]:
    found = [f"{name} cannot be said" for name in FIELDS if name in content and name not in defaults.FIELDS]
    found += [f"{name} is required" for name in defaults.REQUIRED if not content.get(name)]
    found += [*_option_problems(content, options), *_zone_problems(content)]
    found += [*_people_problems("participants", content.get("participants", ()), _PERSON)]
    found += [*_own_problems(content.get("apptoto", {}), content)]
    return found or [*_time_problems(content)]


def _option_problems(content: Content, options: Options) -> Iterator[str]:
    if options.get("collection_is") == "id" and not re.fullmatch(r"[1-9][0-9]{0,17}", content.get("collection") or "1"):
        yield "collection is not a calendar's id"
    names = options.get("time_zone_names") or {}
    if not isinstance(names, Mapping) or not all(isinstance(name, str) and name for name in names.values()):
        yield "option time_zone_names is not a map of names"


def _zone_problems(content: Content) -> Iterator[str]:
    yield from zone_problems(content)
    if content.get("all_day") and content.get("end_time_zone", content.get("time_zone")) != content.get("time_zone"):
        yield "end_time_zone cannot be said of an all-day entry"


def _people_problems(field: str, people: Any, known: Mapping[str, type]) -> Iterator[str]:
    if not isinstance(people, list | tuple) or not all(isinstance(one, Mapping) for one in people):
        yield f"{field} is not a list of people"
        return
    for one in people:
        yield from (f"{field}: {problem}" for problem in _person_problems(one, known))


def _person_problems(one: Mapping[str, Any], known: Mapping[str, type]) -> Iterator[str]:
    said = {name: value for name, value in one.items() if value != ""}
    if not said:
        yield f"each needs one of {', '.join(known)}"
    if not said.keys() <= known.keys():
        yield f"each has no more than {', '.join(known)}"
    elif not all(type(value) is known[name] for name, value in said.items()):
        yield "a value is of another type than Apptoto's"
    elif not _EMAIL.fullmatch(said.get("email", "a@b")):
        yield "an email is no address"
    elif "contact_id" in said and said.keys() & _PERSON.keys():
        yield "a contact_id goes without name, email and phone"


def _own_problems(own: Mapping[str, Any], content: Content) -> Iterator[str]:
    yield from (f"apptoto.{name} is not a field of Apptoto" for name in own if name not in defaults.OWN)
    if not isinstance(own.get("custom_data", {}), Mapping):
        yield "apptoto.custom_data is not a map"
    yield from _people_problems("apptoto.participants", own.get("participants", ()), _CONTACT)
    shown = own.get("show_as", 2)
    if type(shown) is not int or shown not in SHOW_AS:
        yield "apptoto.show_as is 0 to 4"
    elif "show_as" in own and "busy" in content and content["busy"] != (shown != BUSY[False]):
        yield "apptoto.show_as says something else than busy"


def _time_problems(content: Content) -> Iterator[str]:
    found = [*_moment_problems("start", "time_zone", content)]
    if "end" in content:
        found += _moment_problems("end", "end_time_zone", content)
    yield from found or _span_problems(content)


def _moment_problems(name: str, zone_field: str, content: Content) -> Iterator[str]:
    text, zone = content[name], content.get(zone_field, content["time_zone"])
    try:
        if not content.get("all_day") and (parse_moment(text).tzinfo or parse_moment(text).microsecond):
            yield f"{name} is not a local time in whole seconds"
        else:
            moment(text, zone, content)
    except BadTime as error:
        yield f"{name}: {error}"
    except OverflowError:
        yield f"{name} is out of range"


def _span_problems(content: Content) -> Iterator[str]:
    try:
        start, end = span(content)
    except OverflowError:
        yield "end is out of range"
        return
    if _odd(start) or _odd(end):
        yield f"{'start' if _odd(start) else 'end'}: its zone's offset had seconds then"
    elif end < start:
        yield "end is before the start"


def _odd(at: datetime) -> bool:
    """ISO 8601 has no word for an offset such as those before time zones."""
    return (at.utcoffset() or timedelta()) % timedelta(minutes=1) != timedelta()
