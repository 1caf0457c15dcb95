"""Why the database cannot be used, as a code: never its own text, which may quote a user, a password or the data.

libpq names no SQLSTATE for a connection that fails; its words, and the server's in English, are all there is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

_WORDS = tuple(
    (code, re.compile(words, re.IGNORECASE))
    for code, words in (
        ("no_such_database", r'database ".*" does not exist'),
        ("no_such_user", r'role ".*" does not exist'),
        ("wrong_password", r"authentication failed|no password supplied"),
        ("not_let_in", r"pg_hba\.conf|permission denied for database"),
        ("starting", r"system is (starting up|shutting down|in recovery|not yet accepting)"),
        ("too_many_connections", r"too many (clients|connections)|connection slots"),
        ("tls", r"\bSSL\b|certificate"),
        ("unknown_host", r"resolve host|translate host name|name or service not known"),
        ("unreachable", r"no route to host|network is unreachable"),
        ("timeout", r"timeout expired|timed out"),
        ("refused", r"connection refused|no such file or directory"),
        ("closed", r"closed the connection|connection reset|terminating connection"),
    )
)
"""The first that fits: where several addresses were tried, what a server said counts more than that another refused."""
_SQLSTATES = {
    "25006": "read_only",
    "28000": "not_let_in",
    "28P01": "wrong_password",
    "3D000": "no_such_database",
    "42501": "no_privilege",
    "53100": "disk_full",
    "53300": "too_many_connections",
    "55P03": "locked",
    "57014": "timeout",
    "57P01": "closed",
    "57P03": "starting",
}
_SQLITE = {
    "SQLITE_BUSY": "locked",
    "SQLITE_CANTOPEN": "cannot_open",
    "SQLITE_FULL": "disk_full",
    "SQLITE_NOTADB": "not_a_database",
    "SQLITE_READONLY": "read_only",
}


def why(error: DBAPIError, url: URL) -> str:
    """A code of the closed set above, or the error's type with its SQLSTATE."""
    origin: Any = error.orig
    state, name = getattr(origin, "sqlstate", None), getattr(origin, "sqlite_errorname", None)
    if name == "SQLITE_CANTOPEN" and not Path(url.database or "").absolute().parent.is_dir():
        return "no_such_folder"
    known = _SQLITE.get(name or "") or _SQLSTATES.get(state or "")
    if known is None and state is None and name is None:
        known = next((code for code, words in _WORDS if words.search(str(origin))), None)
    return known or named(error)


def named(error: DBAPIError) -> str:
    """The error's type with its SQLSTATE."""
    return f"{type(error.orig).__name__}_{getattr(error.orig, 'sqlstate', None) or ''}".strip("_")


def address(url: URL) -> str:
    """Where it is, without user and password: `host:port/database`, or a file."""
    if url.drivername.startswith("sqlite"):
        return url.database or ":memory:"
    host = url.host or url.query.get("host") or "localhost"
    return f"{host if isinstance(host, str) else ','.join(host)}:{url.port or 5432}/{url.database or ''}"
