"""What the simulated ECAL answers with."""

from __future__ import annotations

import json
from typing import Any

from pipeline.model.wire import Response
from pipeline.vendors.ecal.simulator_checks import RefusedError

# Answers


def whole_of(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise RefusedError(400)
    return int(text)


def answer_of(status: int, content: Any) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())
