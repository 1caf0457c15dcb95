"""CalReply: events in the feed of one or several subscriptions, and the subscriptions themselves."""

from pipeline.vendors.calreply import credential, defaults, inbound, payload, readback, recovery, responses
from pipeline.vendors.contract import Vendor

VENDOR = Vendor(
    name="calreply",
    title="CalReply",
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
    tokens=credential.TOKENS,
    inbound=inbound.inbound,
    keeps=(
        "the subscription's record, also once it has ended",
        "events of api: calreply, which has no delete",
    ),
    read_back=readback.READ_BACK,
)
