"""What the sandbox hosts: accounts of simulated vendors, read from JSON or made in code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.vendors import vendors

RETRY_AFTER = ("none", "seconds", "date")
MAX_FILE = 1 << 20
"""Bytes."""

Windows = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one simulated vendor; its base URL is `/{vendor}/{name}`."""

    name: str
    vendor: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the vendor's simulator takes: its secrets and its ways."""
    quota: Windows = ()
    """Any number of (calls, seconds); none: no quota."""
    retry_after: str = "none"
    """How a 429 says when to come back: "none", "seconds" or "date"."""
    faults: Mapping[str, Any] = field(default_factory=dict)
    """Faults from the start, named as for `POST /_faults`."""

    def __post_init__(self) -> None:
        if self.vendor not in vendors():
            raise ValueError(
                f"account {self.name}: unknown vendor {self.vendor}; one of {', '.join(sorted(vendors()))}"
            )
        if self.retry_after not in RETRY_AFTER:
            raise ValueError(f"account {self.name}: retry_after is one of {', '.join(RETRY_AFTER)}")


def windows(value: Any) -> Windows:
    """`[[100, 60]]` → ((100, 60.0),)."""
    return tuple((int(calls), float(seconds)) for calls, seconds in value or ())


def parse(document: Any) -> tuple[list[Account], int]:
    """The accounts and the seed of `{"seed": 1, "accounts": [{…}]}`. Raises ValueError where it is something else."""
    listed: Any = document.get("accounts") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError('expected {"accounts": […]}')
    for index, given in enumerate(listed):
        missing = [name for name in ("name", "vendor") if not isinstance(given, Mapping) or name not in given]
        if missing:
            raise ValueError(f"accounts[{index}] needs {' and '.join(missing)}")
    accounts = [
        Account(
            name=given["name"],
            vendor=given["vendor"],
            config=given.get("config", {}),
            quota=windows(given.get("quota")),
            retry_after=given.get("retry_after", "none"),
            faults=given.get("faults", {}),
        )
        for given in listed
    ]
    return accounts, int(document.get("seed", 0))


def load(path: Path) -> tuple[list[Account], int]:
    """Raises OSError, or ValueError where it is no such file."""
    with path.open("rb") as opened:
        found = opened.read(MAX_FILE + 1)
    if len(found) > MAX_FILE:
        raise ValueError("more than 1 MiB")
    try:
        return parse(json.loads(found.decode()))
    except RecursionError:
        raise ValueError("nested too deep") from None
