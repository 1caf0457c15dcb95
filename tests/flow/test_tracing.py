"""A trace goes from a record through the ledger to the call, and comes to a receiver of OTLP over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.model.trace import kept, trace_id, traceparent
from tests.flow.assembly import ENVIRONMENT, Assembly, appointment, free_port, until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OTHER = "0af7651916cd43dd8448eb211c80319c"
CLOUDEVENTS = ("content-type", b"application/cloudevents+json")


class Receiver:
    """Decodes what it is sent: spans by trace, each as (name, parent, attributes)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
        self.posts = 0

    def take(self, body: bytes) -> None:
        self.posts += 1
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for span in (span for scope in group.scope_spans for span in scope.spans):
                said = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
                self.spans.setdefault(span.trace_id.hex(), []).append((span.name, span.parent_span_id.hex(), said))


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            receiver.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_words: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def worker(assembly: Assembly, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    assembly.ports.append(free_port())
    own = {"CALENDS_ADMIN__PORT": str(assembly.ports[-1]), **environment}
    with (assembly.folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "run", "-c", str(assembly.folder / "calends.yaml")],
            env=os.environ | ENVIRONMENT | own,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    assembly.workers.append(process)
    assembly.ready()
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def begun(assembly: Assembly) -> None:
    assembly.start()
    if not assembly.embedded:
        assert assembly.calends("migrate").returncode == 0


def traced(trace: str) -> list[tuple[str, bytes]]:
    return [CLOUDEVENTS, ("traceparent", f"00-{trace}-{SPAN}-01".encode())]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "worker.log").read_text().splitlines() if line.startswith("{")]


def test_a_trace_goes_from_the_records_header_through_the_ledger_to_the_call(assembly: Assembly) -> None:
    begun(assembly)
    with receiving() as receiver, worker(assembly, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url):
        assembly.publish([("k1", appointment("k1", "secret title"))], headers=traced(TRACE))
        assembly.publish([("k2", b"{}")], headers=traced(OTHER))  # a dead letter
        until(lambda: len(assembly.sandbox.entries("ecal")) == 1, 30, "the entry is at the vendor")
        until(lambda: len(receiver.spans.get(TRACE, ())) >= 3, 30, "its spans have come")
    spans = {name: (parent, said) for name, parent, said in receiver.spans[TRACE]}
    topic = assembly.topic("appointments")
    assert sorted(spans) == ["create calreply", "create ecal", f"process {topic}"]
    assert {parent for parent, _ in spans.values()} == {SPAN}
    said = spans["create ecal"][1]
    assert (said["calends.destination"], said["calends.vendor"], said["calends.step"]) == ("ecal", "ecal", "create")
    assert said["calends.outcome"] == "accepted"
    assert "secret" not in str(receiver.spans)
    assert "k1" not in str(receiver.spans)
    dead = [line for line in lines(assembly.folder) if line["event"] == "record dead"]
    assert [line["trace_id"] for line in dead] == [OTHER]


def test_nothing_is_sent_and_nothing_is_imported_where_it_is_off(assembly: Assembly) -> None:
    begun(assembly)
    with receiving() as receiver, worker(assembly) as process:
        assembly.publish([("k1", appointment("k1", "t"))], headers=traced(TRACE))
        until(lambda: len(assembly.sandbox.entries("ecal")) == 1, 30, "the entry is at the vendor")
        mapped = Path(f"/proc/{process.pid}/maps").read_text()
    assert (receiver.posts, "google/_upb" in mapped) == (0, False)


def test_who_asks_for_traces_without_the_libraries_is_told(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun(assembly)
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'opentelemetry' else find(name, package)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    told = assembly.calends("run")
    assert (told.returncode, "pip install 'calends[tracing]'" in told.stderr) == (3, True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("traceparent", f"00-{TRACE}-{SPAN}-01".encode())], TRACE),
        ([("ce_traceparent", f"00-{TRACE}-{SPAN}-00".encode())], TRACE),
        ([("traceparent", b"\xff"), ("ce_traceparent", f"00-{TRACE}-{SPAN}-00".encode())], TRACE),
        ([("traceparent", f"00-{'0' * 32}-{SPAN}-01".encode())], None),
        ([("traceparent", f"01-{TRACE}-{SPAN}-01-x".encode())], None),
        ([], None),
    ],
)
def test_only_a_well_formed_traceparent_is_one(headers: list[tuple[str, bytes]], expected: str | None) -> None:
    assert trace_id(traceparent(headers)) == expected


def test_an_entry_that_was_never_asked_for_by_a_trace_has_none() -> None:
    assert kept({}) is None
    assert kept({"base": {"timestamp": 1.0, "headers": [["traceparent", None]]}}) is None
