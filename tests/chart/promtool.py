"""Prometheus' own judge of rules: the one on the path, else Debian's package, unpacked beside the other services."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.services import ServiceUnavailable
from tests.services.java import cache_folder

HOW = "promtool for tests: put it on the path (Prometheus 2.42 or newer; Debian: apt install prometheus)"


def promtool() -> Path:
    """Raises ServiceUnavailable."""
    found = shutil.which("promtool")
    return Path(found) if found else _unpacked(cache_folder() / "prometheus")


def _unpacked(folder: Path) -> Path:
    binary = folder / "usr" / "bin" / "promtool"
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _download(folder)
        _run(folder, "dpkg-deb", "-x", str(next(folder.glob("prometheus_*.deb"))), str(folder))
    except (OSError, StopIteration, subprocess.CalledProcessError):
        raise ServiceUnavailable(HOW) from None
    return binary


def _download(folder: Path) -> None:
    try:
        _run(folder, "apt-get", "download", "prometheus")
    except subprocess.CalledProcessError:  # a fresh machine has no list of packages yet
        _run(folder, "apt-get", "update")
        _run(folder, "apt-get", "download", "prometheus")


def _run(folder: Path, *words: str) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=120)
