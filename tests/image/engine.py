"""A container engine: Docker where one answers, else podman. What it builds and runs is what a user would."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.services import ServiceUnavailable
from tests.services.processes import docker_answers

ROOT = Path(__file__).parents[2]
IMAGE, BASE = "calends:test", "docker.io/library/python:3.11-slim"
NEEDS = "the image's tests: Docker, or podman (Debian: apt install podman runc catatonit)"
# As a pod that keeps the restricted standard. The ulimits: a root without CAP_SYS_RESOURCE may not raise them.
RESTRICTED = (
    *("--read-only", "--user=65532:65532", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=512m"),
    *("--network=host", "--tmpfs=/tmp:size=64m,mode=1777", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"),
)


@functools.cache
def engine() -> tuple[str, ...]:
    """Raises ServiceUnavailable."""
    if docker_answers():
        return ("docker",)
    if shutil.which("podman") is None:
        raise ServiceUnavailable(NEEDS)
    # crun refuses what some machines have as cgroups.
    return ("podman", "--runtime=runc") if shutil.which("runc") else ("podman",)


def said(*words: str | Path, check: bool = True) -> str:
    """What the engine prints; an error of its own ends the test."""
    done = subprocess.run([*engine(), *words], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0 or not check, f"{words}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def logs(name: str) -> str:
    done = subprocess.run([*engine(), "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


def run(*words: str | Path, image: str = IMAGE, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    command = [*engine(), "run", "--rm", *RESTRICTED, *options, image, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def build(folder: Path) -> None:
    """From this repository as it is. `folder` is for what the build is lent, and does not stay in the image."""
    _have_base(folder)
    podman = engine()[0] == "podman"
    words = ["--format=docker", "--isolation=chroot", "--pull=never", *_lent(folder)] if podman else []
    said("build", "--network=host", *words, f"--tag={IMAGE}", ROOT)


def _lent(folder: Path) -> list[str]:
    """The machine's own trust: where a proxy signs the package index, a build would believe nobody."""
    (folder / "pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
    (folder / "uv.toml").write_text("system-certs = true\n")
    places = {
        "/etc/ssl/certs": "/etc/ssl/certs",
        folder / "pip.conf": "/etc/pip.conf",
        folder / "uv.toml": "/etc/uv/uv.toml",
    }
    return [f"--volume={here}:{there}:ro" for here, there in places.items()]


def _have_base(folder: Path) -> None:
    """From a registry, else a stand-in out of Debian's packages."""
    if _there(BASE):
        return
    pulled = subprocess.run([*engine(), "pull", "--quiet", BASE], capture_output=True, timeout=300)
    if pulled.returncode != 0:
        script = Path(__file__).parent / "base.sh"
        done = subprocess.run(
            ["bash", script, BASE, engine()[0]], capture_output=True, text=True, cwd=folder, timeout=900
        )
        if done.returncode != 0:
            raise ServiceUnavailable(
                f"{NEEDS}; no registry has {BASE}, and Debian's packages make none: {done.stderr[-500:]}"
            )


def _there(image: str) -> bool:
    return subprocess.run([*engine(), "image", "inspect", image], capture_output=True).returncode == 0


def user_may_read(folder: Path) -> Path:
    """The folder and all that is in it, readable by the image's user, as a volume of Kubernetes is."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    return folder
