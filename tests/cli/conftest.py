"""What tests of the commands share: the credentials of the examples, set."""

from __future__ import annotations

import pytest

CREDENTIALS = ("ECAL_API_KEY", "ECAL_API_SECRET", "CALREPLY_CLIENT_ID", "CALREPLY_CLIENT_SECRET")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CREDENTIALS:
        monkeypatch.setenv(name, "x")
