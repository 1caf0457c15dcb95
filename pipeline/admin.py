"""The admin port: metrics and the three probes of Kubernetes. A sick vendor makes none of them false."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.telemetry import Telemetry

Check = Callable[[], str | None]
"""None: fine; else why not, in words."""


def page(telemetry: Telemetry, live: Check, ready: Check, started: Check) -> Starlette:
    """`/metrics`, `/livez`, `/readyz`, `/startupz`."""

    def probe(check: Check) -> Callable[[Request], Response]:
        def answer(_request: Request) -> Response:
            why_not = check()
            return PlainTextResponse((why_not or "ok") + "\n", 503 if why_not else 200)

        return answer

    def metrics(_request: Request) -> Response:
        body, content_type = telemetry.exposition()
        return Response(body, headers={"content-type": content_type})

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/livez", probe(live)),
            Route("/readyz", probe(ready)),
            Route("/startupz", probe(started)),
        ]
    )


class _Server(uvicorn.Server):
    """Leaves the signals to the process, which has more to end than a server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Starlette, host: str, port: int, grace: int = 1) -> None:
    """Until cancelled; then what is under way has `grace` seconds.

    Raises OSError where the port cannot be opened. No address is logged: it may hold a secret.
    """
    server = _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=grace,
        )
    )
    serving = asyncio.ensure_future(server.serve([_listening(host, port)]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await asyncio.wait({serving}, timeout=grace + 1.0)


def _listening(host: str, port: int) -> socket.socket:
    """uvicorn's own way to say that it cannot is SystemExit, past whoever waits."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        raise OSError(f"the port {host}:{port} cannot be opened") from None
