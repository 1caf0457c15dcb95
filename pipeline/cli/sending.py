"""How a command calls a vendor: with the destination's account, in its quota, watched by nobody."""

from __future__ import annotations

from pipeline.app import account_of
from pipeline.ledger import Ledger
from pipeline.operate.sending import InQuota
from pipeline.settings import Settings


class _Silent:
    """Who watches the tokens of a command's calls."""

    def token_renewed(self, account: str, how: str, seconds: float) -> None: ...

    def token_failed(self, account: str, reason: str, answer: str) -> None: ...

    def secret_missing(self, account: str, name: str, why: str) -> None: ...


def sending_of(settings: Settings, destination: str, ledger: Ledger, patience: float, force: bool = False) -> InQuota:
    """Waits up to `patience` seconds for a place. Its account's caller is to be closed, by the loop that used it."""
    return InQuota(account_of(settings, destination, _Silent()), ledger, patience, force)
