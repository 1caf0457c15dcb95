"""Somebody who changes things at a vendor behind our back: the vendor's own API, with the account's credential."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pipeline.model.wire import Credential, Request, json_request
from pipeline.vendors import vendors
from tests.flow.assembly import SECRETS


class Meddler:
    """At one account of the sandbox. `items`: key (its mark where the vendor has none) → the vendor's id."""

    def __init__(self, url: str, vendor: str) -> None:
        self.base, self.vendor = f"{url}/{vendor}/{vendor}", vendors()[vendor]
        self.credential = Credential(SECRETS[vendor])

    def call(self, request: Request) -> Any:
        signed = self.vendor.sign(request, self.credential, None)
        query = f"?{urlencode(signed.query)}" if signed.query else ""
        sent = urllib.request.Request(
            f"{self.base}{signed.path}{query}", signed.body or None, dict(signed.headers), method=signed.method
        )
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def change(self, identity: str, title: str) -> None:
        match self.vendor.name:
            case "ecal":
                self.call(json_request("PUT", f"/apiv2/event/{identity}", {"name": title}))
            case "apptoto":
                event = {"id": int(identity), "calendar": "Acme", "title": title}
                self.call(json_request("PUT", "/v1/events", {"events": [event]}))
            case _:
                self.call(json_request("PATCH", f"/event/{identity}", {"dates": [{"name": title}]}))

    def delete(self, identity: str) -> None:
        match self.vendor.name:
            case "ecal":
                self.call(Request("DELETE", f"/apiv2/event/{identity}"))
            case "apptoto":
                self.call(Request("DELETE", "/v1/events", (("id", identity),)))
            case _:
                self.call(Request("DELETE", f"/event/{identity}"))

    def double(self, identity: str) -> str:
        """Only where a vendor has no key of the caller's: the copy of an event, with the name of its file."""
        there: Mapping[str, Any] = self.call(Request("GET", f"/event/{identity}"))
        names = ("event_group", "iCalFileName")
        dates = [{name: value for name, value in one.items() if value not in (None, "")} for one in there["dates"]]
        made = self.call(json_request("POST", "/event", {**{name: there[name] for name in names}, "dates": dates}))
        return str(made["prokey"])
