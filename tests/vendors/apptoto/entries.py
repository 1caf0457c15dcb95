"""Arbitrary entries for Apptoto, and sound ones, so that Hypothesis need not look for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hypothesis import strategies as st

from tests.vendors.apptoto.acts import Content

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8) | st.sampled_from(
    ("", "📷 #auto", 'a "b" \\ \n', "Zoë")
)
# fmt: off
ZONES = st.sampled_from((
    "Europe/Berlin", "America/New_York", "Africa/Cairo", "Asia/Beirut", "Asia/Kathmandu", "Australia/Lord_Howe",
    "UTC", "Etc/GMT+8", "Pacific/Apia", "Africa/Monrovia", "Nowhere/Land",
))
# fmt: on
# Around clock changes of Berlin, New York and Cairo, and before there were time zones.
DAYS = st.sampled_from(
    ("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-24", "2026-12-31", "1900-01-01", "9999-12-31")
) | st.dates(date(1960, 1, 1), date(2100, 1, 1)).map(str)
CLOCKS = st.sampled_from(("00:00:00", "00:30:00", "02:30:00", "01:30:00", "09:00:00", "23:59:59"))
MOMENTS = st.builds("{}T{}".format, DAYS, CLOCKS)
TIMES = st.one_of(
    st.fixed_dictionaries(
        {"start": MOMENTS}, optional={"end": MOMENTS, "end_time_zone": ZONES, "all_day": st.just(False)}
    ),
    st.fixed_dictionaries({"start": DAYS, "all_day": st.just(True)}, optional={"end": DAYS, "end_time_zone": ZONES}),
)
EMAILS = st.sampled_from(("ann@example.com", "zoë@exämple.com", "", "nobody"))
PEOPLE = st.fixed_dictionaries({}, optional={"name": TEXTS, "email": EMAILS, "phone": TEXTS})
CONTACTS = PEOPLE | st.fixed_dictionaries(
    {}, optional={"contact_id": st.integers(1, 9), "contact_external_id": TEXTS, "name": TEXTS, "colour": TEXTS}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
OWN_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "custom_data": st.dictionaries(TEXTS, JSON, max_size=2),
        "show_as": st.integers(-1, 5),
        "participants": st.lists(CONTACTS, max_size=2),
    },
)
OTHERS = st.fixed_dictionaries(
    {"title": TEXTS, "collection": st.sampled_from(("Team", "Home", "7", "Team", "Elsewhere")), "time_zone": ZONES},
    optional={
        "description": TEXTS,
        "location": TEXTS,
        "busy": st.booleans(),
        "participants": st.lists(PEOPLE, max_size=2),
        "apptoto": OWN_FIELDS,
    },
)
ENTRIES = st.builds(lambda times, others: {**times, **others}, TIMES, OTHERS)

# Sound by the way they are made, so that Hypothesis need not look for them.
SOUND_TIMES = st.one_of(
    st.fixed_dictionaries({"start": st.sampled_from(("2026-12-24T09:00:00", "2026-10-25T02:30:00"))}),
    st.fixed_dictionaries(
        {
            "start": st.just("2026-12-24T09:00:00"),
            "end": st.sampled_from(("2026-12-24T12:30:00", "2026-12-31T09:00:00")),
        },
        optional={"end_time_zone": st.just("America/New_York")},
    ),
    st.fixed_dictionaries(
        {"start": st.just("2026-12-24"), "all_day": st.just(True)}, optional={"end": st.just("2026-12-27")}
    ),
)
SOUND_PEOPLE = st.sampled_from(
    ({"name": "Ann"}, {"email": "bob@example.com"}, {"name": "Cy", "phone": "1", "email": ""})
)
SOUND_OWN = st.fixed_dictionaries(
    {},
    optional={
        "custom_data": st.dictionaries(TEXTS, JSON, max_size=2),
        "show_as": st.sampled_from((1, 3, 4)),
        "participants": st.lists(st.sampled_from(({"contact_id": 5}, {"contact_external_id": "x"})), max_size=2),
    },
)


def sound_entries(collections: Sequence[str]) -> st.SearchStrategy[Content]:
    others = st.fixed_dictionaries(
        {
            "title": st.sampled_from(("A", "B 📷")),
            "collection": st.sampled_from(collections),
            "time_zone": st.sampled_from(("Europe/Berlin", "UTC", "Asia/Kathmandu")),
        },
        optional={
            "description": TEXTS,
            "location": TEXTS,
            "busy": st.just(True),
            "participants": st.lists(SOUND_PEOPLE, max_size=2, unique_by=str),
            "apptoto": SOUND_OWN,
        },
    )
    return st.builds(lambda times, rest: {**times, **rest}, SOUND_TIMES, others)


ANYWHERE = sound_entries(("Team", "Home", "7"))
