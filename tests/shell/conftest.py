"""What tests of the shell share: a desk for webhooks, and logging as it was before."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.shell.desk import Desk, desk_of


@pytest.fixture
def desk() -> Desk:
    return desk_of()


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()
