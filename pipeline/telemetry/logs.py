"""Log lines: JSON where nobody reads along, a console else. A closed set of fields, and of types of values.

What is not listed here does not get out: neither a field nor an exception's text, which may quote a signed URL.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
import sys
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

FIELDS = frozenset(
    {"event", "level", "timestamp", "logger", "topic", "partition", "offset", "n", "destination", "vendor", "account",
     "change", "stale", "stage", "reason", "coordinates", "key_hash", "step", "outcome", "seconds", "entries", "since",
     "how", "partitions", "part", "version", "python", "ledger", "replica", "rule", "trace_id", "error", "where",
     "loop", "destinations", "topics", "group", "address", "bytes", "advice", "kind", "table",
     "revision", "problem", "problems", "until", "answer"}
)  # fmt: skip
LONGEST = 300
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+")
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
_QUERY = re.compile(r"\?[^\s=]+=\S+")
# Their lines can carry signed URLs, and tell nothing that an event of ours does not.
SILENT = ("httpx", "httpcore", "httpx2", "httpcore2", "aiohttp", "uvicorn.access")
QUIET = ("aiokafka", "sqlalchemy", "alembic")
# A Kafka that is away: our own `waiting` says so, once for each attempt. A wrong name, certificate or password is told.
_AWAY = ("KafkaConnectionError", "NodeNotReadyError", "RequestTimedOutError", "KafkaTimeoutError",
         "GroupCoordinatorNotAvailableError")  # fmt: skip
_AWAY_WORDS = ("Unable to update metadata from", "Marking the coordinator dead", "Heartbeat session expired")
# Several times a second; our own `topics absent` says it once.
_ABSENT_WORDS = ("Topic %s not found in cluster metadata", "No partition metadata for topic")

Event = MutableMapping[str, Any]


def configure_logging(level: str = "info", json: bool | None = None) -> None:
    """Sets up structlog, and the standard library's logging through it, on stderr. `json` None: unless a terminal."""
    number = logging.getLevelNamesMapping()[level.upper()]
    as_json = not sys.stderr.isatty() if json is None else json
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(_not_chatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    _calm(number)


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Lets through the listed fields, with values of simple types, without URLs; of an exception its type and place."""
    error = _exception(event.pop("exc_info", None))
    meta = {name: event[name] for name in ("_record", "_from_structlog") if name in event}
    kept = {name: simple(value) for name, value in event.items() if name in FIELDS}
    if error is not None:
        kept |= described(error)
    if kept.get("logger") == "asyncio":
        kept["event"] = "asyncio reported an error"  # its text is the task's repr, with the exception's own text
    return {**kept, **meta}


def described(error: BaseException) -> dict[str, str]:
    """An exception without its text: its type, and the innermost line of code."""
    return {"error": type(error).__name__, "where": _place(error.__traceback__)}


def code(reason: str) -> str:
    """A reason that is a code as it is; `other` for a text, which may quote anything and would make labels endless."""
    return reason if _CODE.fullmatch(reason) else "other"


def simple(value: object) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _QUERY.sub("?…", _URL.sub("<url>", value))[:LONGEST]
        case list() | tuple():
            return [simple(part) for part in value[:50]]
        case _:
            return f"<{type(value).__name__}>"


def _calm(number: int) -> None:
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _not_chatter(record: logging.LogRecord) -> bool:
    """False for what aiokafka says of a broker that does not answer, and of a topic that is not there."""
    if record.name.split(".")[0] != "aiokafka" or record.exc_info:
        return True
    causes = [part for part in record.args if isinstance(part, BaseException)] if isinstance(record.args, tuple) else []
    return not (str(record.msg).startswith(_AWAY_WORDS + _ABSENT_WORDS) or any(map(_is_away, causes)))


def _is_away(error: BaseException) -> bool:
    if isinstance(error, (ssl.SSLError, socket.gaierror)):
        return False
    return isinstance(error, OSError) or type(error).__name__ in _AWAY


def _exception(info: object) -> BaseException | None:
    match info:
        case BaseException():
            return info
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
        case _:
            return None


def _place(traceback: TracebackType | None) -> str:
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{code.co_filename.rsplit('/', 1)[-1]}:{traceback.tb_lineno}"
