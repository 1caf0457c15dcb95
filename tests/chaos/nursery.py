"""Real `calends` processes, cheap to start: one process has imported everything, and forks for each that is asked.

Reads a JSON object a line, `{"argv", "env", "log", "clock"}`, and answers `{"pid"}`; tells `{"exited", "code"}` of
each that ends. What it forks dies with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
import time
from typing import Any

import pipeline

PR_SET_PDEATHSIG = 1
LATER = (
    "psycopg",
    "pipeline.sandbox.__main__",
    "pydantic_settings.main",
    "pydantic.root_model",
    "dotenv.main",
    "anyio._backends._asyncio",
    "encodings.idna",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "ruamel.yaml.mergevalue",
)
"""What is imported only once it is needed, by our modules or by those that they use."""
LEFT_OUT = ("__main__", "migrations", "demo", "embedded")


def main() -> None:
    for name in (*LATER, *everything()):
        importlib.import_module(name)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    tell({"ready": os.getpid()})
    asked = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            reap()
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                return
            *lines, asked = (asked + read).split(b"\n")
            for line in lines:
                tell({"pid": spawn(json.loads(line))})


def everything() -> list[str]:
    """Every module of ours, those too that a command imports only once it needs them."""
    found = [module.name for module in pkgutil.walk_packages(pipeline.__path__, "pipeline.")]
    return [name for name in found if not any(part in LEFT_OUT for part in name.split("."))]


def reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            tell({"exited": ended[0], "code": os.waitstatus_to_exitcode(ended[1])})


def spawn(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        code = become(asked)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def become(asked: dict[str, Any]) -> int:
    """The child: a session, log and environment of its own, then the command as if it had been typed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    null, log = os.open(os.devnull, os.O_RDWR), os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target, source in enumerate((null, log, log)):
        os.dup2(source, target)
    os.environ.update(asked["env"])
    if asked.get("clock"):
        be_fast(asked["clock"])
    module, *arguments = asked["argv"]
    sys.argv = [module, *arguments]
    importlib.import_module(module).main()
    return 0


def be_fast(seconds: float) -> None:
    """The wall clock of this process is fast by so many seconds, for whoever asks it; monotonic time is not."""
    time_of_day = time.time
    time.time = lambda: time_of_day() + seconds

    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=seconds)

    for name, module in list(sys.modules.items()):
        if name.startswith("pipeline") and getattr(module, "datetime", None) is datetime.datetime:
            vars(module)["datetime"] = Shifted


def tell(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
