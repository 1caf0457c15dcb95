"""A real Prometheus that scrapes the workers every two seconds, a real Alertmanager, and the webhook that it calls.

They know the chart's own rules, sped up.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.flow.assembly import until
from tests.pager.speed import sped_up
from tests.services.debian import installed, program
from tests.services.processes import free_ports

RULES = Path(__file__).parents[2] / "helm" / "calends" / "files" / "alerts.yaml"
Labels = Mapping[str, str]


class Webhook:
    """Who is woken: keeps what Alertmanager tells, in its order."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.extend(json.loads(self.rfile.read(int(self.headers["content-length"])))["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def newest(self, alert: str, labels: Labels) -> dict[str, Any] | None:
        """What was told last of an alert that has these labels."""
        return self.find(self.told, alert, labels)

    @staticmethod
    def find(told: Sequence[dict[str, Any]], alert: str, labels: Labels) -> dict[str, Any] | None:
        wanted = {"alertname": alert, **labels}.items()
        return next((one for one in reversed(told) if wanted <= one["labels"].items()), None)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Watch:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.webhook = Webhook()
        self._prometheus, self._alertmanager = free_ports(2)
        self._running: list[subprocess.Popen[bytes]] = []
        self.began = time.time()

    def scrape(self, ports: Sequence[int]) -> None:
        """From now on these, and no other."""
        fresh = self.folder / "targets.json.new"
        fresh.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}" for port in ports]}]))
        fresh.rename(self.folder / "targets.json")

    def start(self) -> None:
        """The workers must be there already, or `absent` fires before the first scrape."""
        self._configure()
        manager = f"--web.listen-address=127.0.0.1:{self._alertmanager}"
        self._run(installed("prometheus-alertmanager"), "--config.file=alertmanager.yml", "--storage.path=am", manager,
                  "--cluster.listen-address=")  # fmt: skip
        web = f"--web.listen-address=127.0.0.1:{self._prometheus}"
        self._run(program("prometheus", "prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", web,
                  "--rules.alert.resend-delay=1s")  # fmt: skip
        until(self._is_ready, 30, "Alertmanager is ready")
        until(lambda: bool(self._is_up()), 30, "Prometheus scrapes")
        self.began = time.time()

    def _configure(self) -> None:
        yaml = YAML(typ="safe")
        told = {
            "rules.yml": sped_up(yaml.load(RULES.read_text())),
            "prometheus.yml": {
                "global": {"scrape_interval": "2s", "evaluation_interval": "1s"},
                "rule_files": ["rules.yml"],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self._alertmanager}"]}]}]},
                "scrape_configs": [{"job_name": "calends", "file_sd_configs": [{"files": ["targets.json"]}]}],
            },
            "alertmanager.yml": {
                "route": {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s",
                          "repeat_interval": "1h"},
                "receivers": [{"name": "hook", "webhook_configs": [{"url": self.webhook.url, "send_resolved": True}]}],
            },
        }  # fmt: skip
        for name, content in told.items():
            with (self.folder / name).open("w") as file:
                yaml.dump(content, file)

    def _run(self, binary: Path, *words: str) -> None:
        log = (self.folder / f"{binary.name}.log").open("ab")
        self._running.append(subprocess.Popen([binary, *words], cwd=self.folder, stdout=log, stderr=log))

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._alertmanager}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def _is_up(self) -> list[Any]:
        try:
            return list(self.query("up == 1"))
        except OSError:
            return []

    def get(self, path: str, **parameters: object) -> Any:
        """The `data` of an answer of Prometheus' API. Raises OSError; an error in a query is told with its text."""
        url = f"http://127.0.0.1:{self._prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise OSError(f"{parameters}: {error.read().decode()}") from None

    def query(self, expression: str) -> list[Any]:
        return list(self.get("query", query=expression)["result"])

    def firing(self) -> list[str]:
        """What fires now, each with its labels."""
        alerts = [one for one in self.get("alerts")["alerts"] if one["state"] == "firing"]
        return sorted(str(one["labels"]) for one in alerts)

    def fires(self, alert: str, labels: Labels) -> bool:
        newest = self.webhook.newest(alert, labels)
        return newest is not None and newest["status"] == "firing"

    def fired(self, alert: str, labels: Labels, since: int) -> bool:
        """It fires, or did so since that many things had been told."""
        told = self.webhook.told[since:]
        return self.fires(alert, labels) or Webhook.find(told, alert, labels) is not None

    def close(self) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.wait(30)
        self.webhook.close()
