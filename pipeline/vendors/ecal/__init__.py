"""ECAL: private events in one subscriber's calendar, and events of public calendars."""

from pipeline.vendors.contract import Vendor
from pipeline.vendors.ecal import credential, defaults, inbound, payload, readback, recovery, responses

VENDOR = Vendor(
    name="ecal",
    title="ECAL",
    defaults=defaults.DEFAULTS,
    secrets=defaults.SECRETS,
    options=defaults.OPTIONS,
    express=defaults.express,
    problems=payload.problems,
    plan=recovery.plan,
    request=payload.request,
    sign=credential.sign,
    read=responses.read,
    probe=payload.probe,
    inbound=inbound.read,
    keeps=("the subscriber: ecalId, e-mail address, the calendars they chose",),
    read_back=readback.READ_BACK,
)
