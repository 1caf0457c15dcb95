"""A schema registry over real HTTP: the part of Confluent's documented API that its serializers and we use.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html (read 2026-11). It keeps no rules of
compatibility and knows no deletion.
"""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

NOT_FOUND = {40401: "Subject not found.", 40402: "Version not found.", 40403: "Schema not found"}
Answer = tuple[int, Any]


@dataclass
class SchemaRegistry:
    """Listens on loopback from `open` to `close`; opened again, it is where it was and knows what it knew."""

    user: tuple[str, str] | None = None
    port: int = 0
    schemas: dict[int, dict[str, Any]] = field(default_factory=dict)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths, in the order of the requests."""
    instead: tuple[int, bytes] | None = None
    """What it answers in the place of everything: a status and a body."""
    _server: ThreadingHTTPServer | None = None

    def open(self) -> SchemaRegistry:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def _answer(self, body: Any) -> None:
                status, said = registry.answer(self.path, body, self.headers.get("authorization"))
                raw = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/vnd.schemaregistry.v1+json")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, kind: str, schema: Any, subject: str = "s", references: Any = ()) -> int:
        """The id of a schema, registered as it is."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self._register(subject, {"schema": text, "schemaType": kind, "references": list(references)})

    def answer(self, path: str, body: Any, authorization: str | None) -> Answer:
        self.asked.append(path.partition("?")[0])
        if self.instead is not None:
            return self.instead
        if self.user and authorization != "Basic " + b64encode(":".join(self.user).encode()).decode():
            return 401, {"error_code": 40101, "message": "Unauthorized"}
        match [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]:
            case ["schemas", "ids", number]:
                found = self.schemas.get(int(number))
                return (200, _shown(found)) if found else _error(40403)
            case ["subjects", subject, "versions"] if body is not None:
                return 200, {"id": self._register(subject, body)}
            case ["subjects", subject, "versions", version]:
                return self._version(subject, version)
            case _:
                return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _version(self, subject: str, version: str) -> Answer:
        ids = self.subjects.get(subject)
        if ids is None:
            return _error(40401)
        number = len(ids) if version == "latest" else int(version)
        if not 0 < number <= len(ids):
            return _error(40402)
        one = ids[number - 1]
        return 200, {"subject": subject, "version": number, "id": one, **_shown(self.schemas[one])}

    def _register(self, subject: str, body: dict[str, Any]) -> int:
        wanted = {name: body.get(name) or default for name, default in (("schemaType", "AVRO"), ("references", []))}
        wanted["schema"] = body["schema"]
        one = next((known for known, schema in self.schemas.items() if schema == wanted), len(self.schemas) + 1)
        self.schemas[one] = wanted
        if one not in self.subjects.setdefault(subject, []):
            self.subjects[subject].append(one)
        return one


def _shown(schema: dict[str, Any]) -> dict[str, Any]:
    """As documented: an Avro schema has no type, one without references names none."""
    hidden = {"schemaType": "AVRO", "references": []}
    return {name: value for name, value in schema.items() if hidden.get(name) != value}


def _error(code: int) -> Answer:
    return code // 100, {"error_code": code, "message": NOT_FOUND[code]}
