"""ECAL private events: entries that appear in one subscriber's calendar only."""

from pipeline.vendors.contract import Vendor
from pipeline.vendors.ecal import credential, defaults, payload, recovery, responses

VENDOR = Vendor(
    name="ecal",
    title="ECAL private events",
    defaults=defaults.DEFAULTS,
    secrets=defaults.SECRETS,
    options=(),
    express=defaults.express,
    problems=payload.problems,
    plan=recovery.plan,
    request=payload.request,
    sign=credential.sign,
    read=responses.read,
    probe=payload.probe,
)
