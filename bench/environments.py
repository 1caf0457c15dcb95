"""The peers from their packages, each in an environment of its own that is made on demand: never in ours.

`bench/peers/NAME.lock` has its versions and their hashes, `NAME_worker.py` there is what it runs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.services.processes import ServiceUnavailable, cache_folder

FOLDER = Path(__file__).parent / "peers"
NEWEST = 14
"""Python 3.NEWEST is looked for first where ours is too old."""


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    title: str
    package: str
    oldest: tuple[int, int]
    """The Python that its package asks for."""

    @property
    def module(self) -> str:
        return f"bench.peers.{self.name}_worker"

    @property
    def lock(self) -> Path:
        return FOLDER / f"{self.name}.lock"

    @property
    def version(self) -> str:
        found = re.search(rf"^{self.package}==(\S+)", self.lock.read_text(), re.MULTILINE)
        assert found is not None, f"{self.lock} has no {self.package}"
        return found.group(1)


PEERS = (
    Peer("faststream", "FastStream", "faststream", (3, 11)),
    Peer("pyrallel", "Pyrallel Consumer", "pyrallel-consumer", (3, 12)),
)


@cache
def environment(peer: Peer) -> Path:
    """Its Python. Raises ServiceUnavailable where no Python here is new enough."""
    python = _python(peer)
    locked = hashlib.sha256(peer.lock.read_bytes() + str(python).encode()).hexdigest()[:12]
    folder = cache_folder() / "bench" / f"{peer.name}-{locked}"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, python, peer)
    return folder / "bin" / "python"


def _make(folder: Path, python: Path, peer: Peer) -> None:
    print(f"{peer.title} {peer.version}: an environment of its own, once", file=sys.stderr, flush=True)
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", str(python), str(folder)], check=True)
    words = ["--compile-bytecode", "--require-hashes", "--no-deps", "-r", str(peer.lock)]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *words], check=True)
    (folder / ".ready").touch()


def _python(peer: Peer) -> Path:
    for candidate in _candidates():
        if _version(candidate) >= peer.oldest:
            return candidate
    wanted = ".".join(map(str, peer.oldest))
    raise ServiceUnavailable(f"{peer.title} needs Python {wanted}; put a python{wanted} on the PATH")


def _candidates() -> Iterator[Path]:
    """Ours, then newer ones: on the path, or where pyenv keeps them."""
    yield Path(sys.executable)
    names = [f"python3.{minor}" for minor in range(NEWEST, 11, -1)]
    yield from (Path(found) for found in map(shutil.which, names) if found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(pyenv.glob("3.1[2-9].*/bin/python"), reverse=True)


@cache
def _version(python: Path) -> tuple[int, int]:
    """It is asked: a version manager answers to names that it has no Python for."""
    words = [str(python), "-c", "import sys; print(sys.version_info.major, sys.version_info.minor)"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return (0, 0)
    major, minor = answer.stdout.split()
    return int(major), int(minor)


def python_version(peer: Peer) -> str:
    words = [str(environment(peer)), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
