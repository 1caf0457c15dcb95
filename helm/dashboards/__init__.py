"""The chart's Grafana dashboards, as code: `python -m helm.dashboards` writes them to `helm/calends/files/dashboards`.

One module a dashboard. Who changes one runs `make docs` and commits what it writes.
"""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as grafana

from helm.dashboards import destination, overview, worker

DASHBOARDS: Mapping[str, grafana.Dashboard] = {
    "overview": overview.BOARD,
    "destination": destination.BOARD,
    "worker": worker.BOARD,
}


def text(name: str) -> str:
    """The file of a dashboard."""
    return JSONEncoder(sort_keys=True, indent=2).encode(DASHBOARDS[name]) + "\n"
