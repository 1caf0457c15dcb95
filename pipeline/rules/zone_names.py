"""The time zone that a misspelt name may have meant."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from pipeline.model.when import is_zone
from pipeline.rules.language import did_you_mean, nearest

NEAR = 0.8
"""Below that a city is another one: CEST is not West."""


def zone_meant(value: Any) -> str | None:
    """The name nearest to a zone that is none, or to the first such zone of a map or list; None: nothing is near."""
    if isinstance(value, Mapping):
        members = [
            one for name, one in value.items() if str(name).endswith("time_zone") or isinstance(one, list | dict)
        ]
        return zone_meant(members)
    if isinstance(value, list):
        return next((meant for one in value if (meant := zone_meant(one)) is not None), None)
    return None if not isinstance(value, str) or is_zone(value) else _near(value)


def zone_asked(value: Any) -> str:
    """As a question; empty where nothing is near."""
    return did_you_mean(zone_meant(value))


def _near(name: str) -> str | None:
    places = _places()
    meant = nearest(name.strip().replace(" ", "_").lower(), places, NEAR)
    return None if meant is None else places[meant]


@cache
def _places() -> dict[str, str]:
    """Zones by what people write, in small letters: the whole name, and the city alone. An abbreviation such as CEST is
    no near name of another, and the signs of Etc/GMT+1 are the other way round."""
    names = sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return {name.rpartition("/")[2].lower(): name for name in names} | {name.lower(): name for name in names}
