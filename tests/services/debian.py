"""A program: the one on the path, else Debian's package of it, unpacked into the user's cache and not installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.services.java import cache_folder
from tests.services.processes import ServiceUnavailable


def installed(name: str) -> Path:
    """A program that finds its own files only where it is installed. Raises ServiceUnavailable."""
    found = shutil.which(name)
    if found is None:
        raise ServiceUnavailable(f"{name} for tests: put it on the path (Debian: apt install {name})")
    return Path(found)


def program(name: str, package: str) -> Path:
    """Raises ServiceUnavailable."""
    found = shutil.which(name)
    if found:
        return Path(found)
    folder = cache_folder() / package
    binary = folder / "usr" / "bin" / name
    if not binary.exists():
        _unpack(folder, package)
    if not binary.exists():
        raise ServiceUnavailable(f"{name} for tests: put it on the path (Debian: apt install {package})")
    return binary


def _unpack(folder: Path, package: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _download(folder, package)
        _run(folder, "dpkg-deb", "-x", str(next(folder.glob(f"{package}_*.deb"))), str(folder))
    except (OSError, StopIteration, subprocess.SubprocessError):
        raise ServiceUnavailable(f"{package} for tests: apt install {package}") from None


def _download(folder: Path, package: str) -> None:
    try:
        _run(folder, "apt-get", "download", package)
    except subprocess.CalledProcessError:  # a fresh machine has no list of packages yet
        _run(folder, "apt-get", "update")
        _run(folder, "apt-get", "download", package)


def _run(folder: Path, *words: str) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=120)
