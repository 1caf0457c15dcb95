"""The addresses that an event has at the vendor ("Potential response" of Add an event): what upstream wants of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.model.entry import Content
from pipeline.vendors.add_to_calendar_pro.defaults import SECTION
from pipeline.vendors.add_to_calendar_pro.payload import event, marker

KINDS = ("ical", "apple", "google", "ms365", "outlookcom", "msteams", "yahoo")


def links(content: Content, key: str, prokey: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The landing page and, unless it is an RSVP form, the files and a direct link for each kind of calendar."""
    page = f"https://{options.get('link_host') or 'caldn.net'}/{prokey}"
    found = {"landing_page": page}
    if content.get(SECTION, {}).get("rsvp"):
        return found  # its files are made for each attendee
    return found | _files(content, key, prokey) | {kind: f"{page}/o/{kind}" for kind in KINDS}


def _files(content: Content, key: str, prokey: str) -> dict[str, str]:
    """Several dates with an organizer have a file each, the second one called `-2`."""
    dates = event(content)["dates"]
    count = len(dates) if dates[0].get("organizer_email") else 1
    file = f"https://event.caldn.net/{prokey}/{marker(key)}"
    return {"ics": f"{file}.ics", **{f"ics_{n}": f"{file}-{n}.ics" for n in range(2, count + 1)}}
