"""What looks like a secret, so that no explanation quotes it."""

from __future__ import annotations

import re
from typing import Any

MASK = "***"
PEOPLE = frozenset(("subscriber", "identity", "ended", "participants"))
"""What names a person: nothing that stands there is quoted."""
SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a JSON Web Token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\."),
    "an access key of AWS": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a token of GitHub": re.compile(r"\b(gh[pousr]_\w{30,}|github_pat_\w{30,})"),
    "a token of Slack": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a secret key": re.compile(r"\b[srp]k_(live|test)_\w{10,}"),
    "a bearer token": re.compile(r"\b(Bearer|Basic) [\w+/=.-]{16,}"),
    "a password in an address": re.compile(r"://[^\s/:@{}]+:[^\s/@{}]+@"),
    "a secret in an address": re.compile(
        r"[?&](api_?key|access_token|token|secret|password|sig(nature)?)=[^&\s{}]{6,}", re.IGNORECASE
    ),
}


def secret_in(text: str) -> str | None:
    """What kind of secret a text looks like."""
    return next((kind for kind, shape in SHAPES.items() if shape.search(text)), None)


def shown(value: Any) -> str:
    """A value as an explanation may quote it."""
    return quoted(repr(value))


def quoted(text: str, most: int = 60) -> str:
    """What a file says, as an explanation may quote it: its beginning, or nothing of it where there is a secret."""
    return MASK if secret_in(text) else text[:most]


def masked(value: Any) -> Any:
    """JSON without the texts that look like a secret."""
    match value:
        case dict():
            return {name: masked(member) for name, member in value.items()}
        case list():
            return [masked(member) for member in value]
        case str() if secret_in(value):
            return MASK
        case _:
            return value
