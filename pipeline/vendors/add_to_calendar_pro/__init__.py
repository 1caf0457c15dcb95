"""Add to Calendar PRO events: a public page, an ics file and direct links for each entry."""

from pipeline.vendors.add_to_calendar_pro import (
    checks,
    credential,
    defaults,
    inbound,
    payload,
    readback,
    recovery,
    responses,
)
from pipeline.vendors.contract import Vendor

VENDOR = Vendor(
    name="add_to_calendar_pro",
    title="Add to Calendar PRO events",
    defaults=defaults.DEFAULTS,
    secrets=defaults.SECRETS,
    options=defaults.OPTIONS,
    express=defaults.express,
    problems=checks.problems,
    plan=recovery.plan,
    request=payload.request,
    sign=credential.sign,
    read=responses.read,
    probe=payload.probe,
    cost=defaults.cost,
    inbound=inbound.inbound,
    keeps=("answers to RSVP forms, and what people have put into calendars of their own by the public link",),
    read_back=readback.READ_BACK,
)
