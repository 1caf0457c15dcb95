"""Apptoto events: entries in a calendar of the account, with the people who get its messages."""

from pipeline.vendors.apptoto import credential, defaults, inbound, payload, readback, recovery, responses, unsayable
from pipeline.vendors.contract import Vendor

VENDOR = Vendor(
    name="apptoto",
    title="Apptoto events",
    defaults=defaults.DEFAULTS,
    secrets=defaults.SECRETS,
    options=defaults.OPTIONS,
    express=defaults.express,
    problems=unsayable.problems,
    plan=recovery.plan,
    request=payload.request,
    sign=credential.sign,
    read=responses.read,
    probe=payload.probe,
    together=payload.together,
    inbound=inbound.read,
    keeps=(
        "deleted events, marked is_deleted, with their participants",
        "contacts that were made of participants, and messages that were sent to them",
    ),
    read_back=readback.READ_BACK,
)
