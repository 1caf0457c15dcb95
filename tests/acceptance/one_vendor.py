"""One account at one vendor, a quota that the vendor enforces to the call, and what is read off its arrivals."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from tests.flow.assembly import APPTOTO, ECAL, Assembly, Sandbox

Window = tuple[int, float]
"""Calls, seconds."""

PRO, GROUP = "add_to_calendar_pro", "803a96ac-aaaa-2222-bbbb-6fb191041543"
SECRETS = {"ecal": ECAL, "apptoto": APPTOTO, PRO: {"api_key": "test-key"}}
CALENDARS: Mapping[str, Mapping[str, Any]] = {"ecal": {}, "apptoto": {"calendars": ["Acme"]}, PRO: {"groups": [GROUP]}}
DEFAULTS = {"ecal": {}, "apptoto": {"collection": "Acme"}, PRO: {"collection": GROUP}}

RULES = """
rules:
  - name: appointment
    from: [TOPIC]
    on: appointment.made
    send:
      - to: [VENDOR]
        key: "{{ data.key }}"
        identity: "{{ data.person }}"
        entry:
          title: "{{ data.title }}"
          location: Online
          start: "{{ data.start }}"
          end: "{{ data.end }}"
          time_zone: Europe/Paris
"""


def begin(assembly: Assembly, vendor: str, windows: Sequence[Window], **account: Any) -> None:
    """The sandbox, the configuration of the workers with the same quota as the vendor's, topics and ledger."""
    config = {**SECRETS[vendor], **CALENDARS[vendor]}
    assembly.sandbox = Sandbox(
        assembly.folder, [{"name": vendor, "vendor": vendor, "config": config, "quota": [list(w) for w in windows]}]
    )
    settings = {
        "kafka": {
            "bootstrap_servers": assembly.bootstrap,
            "group_id": f"calends{assembly.suffix}",
            "dead_letter_topic": assembly.topic("dead-letters"),
        },
        "ledger": {"url": assembly.ledger},
        "accounts": {vendor: _account(assembly, vendor, windows) | account},
        "destinations": {vendor: {"account": vendor, "defaults": DEFAULTS[vendor]}},
        "rules": "rules.yaml",
    }
    (assembly.folder / "calends.yaml").write_text(json.dumps(settings))
    rules = RULES.replace("TOPIC", assembly.topic("appointments")).replace("VENDOR", vendor)
    (assembly.folder / "rules.yaml").write_text(rules)
    assembly.make_topics([assembly.topic("appointments"), assembly.topic("dead-letters")], 12)
    migrated = assembly.calends("migrate")
    assert migrated.returncode == 0, migrated.stderr


def _account(assembly: Assembly, vendor: str, windows: Sequence[Window]) -> dict[str, Any]:
    return {
        "vendor": vendor,
        "base_url": f"{assembly.sandbox.url}/{vendor}/{vendor}",
        "credential": {name: {"env": f"TEST_{name.upper()}"} for name in SECRETS[vendor]},
        "quota": [{"calls": calls, "per": f"{seconds:g}s"} for calls, seconds in windows],
        "timeout": "5s",
        "settle_time": "1s",
    }


def arrivals(assembly: Assembly, vendor: str, since: float = 0.0) -> list[float]:
    return sorted(row[0] for row in assembly.sandbox.arrivals(vendor, since))


def worst_window(times: Sequence[float], seconds: float) -> int:
    """The most calls in any window of so many seconds; times sorted."""
    return max((bisect_left(times, at + seconds) - place for place, at in enumerate(times)), default=0)


def used(times: Sequence[float], window: Window, spans: Sequence[tuple[float, float]]) -> float:
    """The share of the quota that was used within these spans of time."""
    calls = sum(any(begun <= at < ended for begun, ended in spans) for at in times)
    return calls / (sum(ended - begun for begun, ended in spans) * window[0] / window[1])


def attempts(assembly: Assembly) -> int:
    """The most attempts that any entry has spent."""
    import psycopg

    with psycopg.connect(assembly.ledger) as connection:
        (worst,) = connection.execute("select max(attempts) from entries").fetchone() or (0,)
    return int(worst or 0)


def held(metrics: str) -> Mapping[str, str]:
    """Destination → reason of what is held, as the worker's metrics say."""
    found = {}
    for line in metrics.splitlines():
        if line.startswith("calends_hold_start_seconds{"):
            labels = dict(part.split("=", 1) for part in line[line.index("{") + 1 : line.index("}")].split(","))
            found[labels["destination"].strip('"')] = labels["reason"].strip('"')
    return found
