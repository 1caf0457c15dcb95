"""A server as a process or as a container: start it, wait for it, and hurt it on purpose."""

import contextlib
import ctypes
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import psutil

START_SECONDS = 90
PR_SET_PDEATHSIG = 1


class ServiceUnavailable(Exception):
    """A service cannot be had here; the message says in one line what to install."""


class NotOurs(Exception):
    """The service was named by an address: we did not start it, so we do not stop, freeze or kill it."""


class Server(Protocol):
    """One running server. Each verb may be called in any state and leaves the one it names."""

    log: Path

    def start(self) -> None: ...
    def running(self) -> bool: ...
    def stop(self) -> None:
        """End it cleanly and wait until it is gone."""

    def kill(self) -> None:
        """Crash it (SIGKILL), children included, and wait until they are gone."""

    def freeze(self) -> None:
        """Hang it (SIGSTOP): connections stay open and nobody answers."""

    def thaw(self) -> None: ...


@dataclass
class Process:
    command: Sequence[str]
    log: Path
    env: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    term: signal.Signals = signal.SIGTERM
    patience: float = 30  # seconds from `term` to a kill
    _popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                env=os.environ | self.env,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                start_new_session=True,  # ctrl-C is for the test run, which then ends its servers
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def stop(self) -> None:
        if self._popen is not None and self.running():
            self.thaw()
            self._popen.send_signal(self.term)
            try:
                self._popen.wait(timeout=self.patience)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        family = self._family()
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        if self._popen is not None:
            self._popen.wait(timeout=30)
        psutil.wait_procs(family, timeout=30)

    def freeze(self) -> None:
        for member in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.suspend()

    def thaw(self) -> None:
        for member in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.resume()

    def _family(self) -> list[psutil.Process]:
        """The process, then its children: PostgreSQL's leave its session, so no process group has them."""
        if self._popen is None or not self.running():
            return []
        parent = psutil.Process(self._popen.pid)
        return [parent, *parent.children(recursive=True)]


@dataclass
class Container:
    """The same server in Docker, on the host's network: what is configured stays what is dialled."""

    image: str
    command: Sequence[str]
    log: Path
    env: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    name: str = field(default_factory=lambda: f"calends-test-{uuid4().hex[:12]}")
    _made: bool = False

    def start(self) -> None:
        if self._made:
            docker("start", self.name)
        else:
            mount = [] if self.folder is None else ["--volume", f"{self.folder}:{self.folder}"]
            env = [word for key, value in self.env.items() for word in ("--env", f"{key}={value}")]
            docker("run", "--detach", "--network", "host", "--name", self.name, *mount, *env, self.image, *self.command)
            self._made = True
        with self.log.open("ab") as log:
            subprocess.Popen(
                ["docker", "logs", "--follow", "--since", "0s", self.name], stdout=log, stderr=subprocess.STDOUT
            )

    def running(self) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", self.name, check=False).strip() == "true"

    def stop(self) -> None:
        self.thaw()
        docker("stop", "--time", "30", self.name, check=False)

    def kill(self) -> None:
        docker("kill", self.name, check=False)
        docker("wait", self.name, check=False)

    def freeze(self) -> None:
        docker("pause", self.name, check=False)

    def thaw(self) -> None:
        docker("unpause", self.name, check=False)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name, check=False)


def docker(*words: str, check: bool = True) -> str:
    return subprocess.run(["docker", *words], check=check, capture_output=True, text=True).stdout


@functools.cache
def docker_answers() -> bool:
    """Whether an engine answers and its `host` network is this machine's (on macOS and Windows it is a VM's)."""
    if sys.platform != "linux" or shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def wait_until(ready: Callable[[], bool], server: Server, what: str) -> None:
    """Poll `ready` until it holds; a server that ends first, or takes too long, raises with the end of its log."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if not server.running() or time.monotonic() > deadline:
            tail = "\n".join(server.log.read_text(errors="replace").splitlines()[-15:])
            raise ServiceUnavailable(f"{what} did not start; the end of its log:\n{tail}")
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on. Held all at once, so that no two are the same."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def cache_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "calends"


@contextlib.contextmanager
def work_folder(name: str) -> Iterator[Path]:
    """Data and logs of one service. Removed at the end, unless CALENDS_TEST_KEEP is set."""
    folder = Path(tempfile.mkdtemp(prefix=f"calends-{name}-"))
    folder.chmod(0o755)  # PostgreSQL may run as another user than ours
    try:
        yield folder
    finally:
        if not os.environ.get("CALENDS_TEST_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


def _die_with_parent() -> None:
    """A test run that is itself killed leaves no server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
