"""A merchant at the simulated CalReply, called over its wire with a token of its own."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator import Simulator

CONFIG = {"account_code": "acme", "client_id": "me", "client_secret": "s3", "protected": ["secret"], "api": "rokt"}
BASIC = "Basic " + base64.b64encode(b"me:s3").decode()
PEOPLE = {"subscriberId": "jsmith", "redirectTo": "https://yourdomain.com/confirmation"}


class Merchant:
    def __init__(self, **config: Any) -> None:
        self.simulator = Simulator({**CONFIG, **config})
        form = urlencode({"grant_type": "client_credentials"}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "authorization": BASIC}
        answer = self.simulator.handle("POST", "/oauth2/token", (), headers, form, 0.0)
        self.token = json.loads(answer.body)["access_token"]

    def call(self, method: str, path: str, content: Any = None, now: float = 0.0) -> Response:
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return self.simulator.handle(method, path, (), headers, body, now)

    def read(self, method: str, path: str, content: Any = None, now: float = 0.0) -> Any:
        answer = self.call(method, path, content, now)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def subscribed(self, **more: Any) -> str:
        made = self.read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "WebCal", **more})
        return str(made["subscriptionId"])
