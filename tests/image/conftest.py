"""The image, built once for the run, from the repository as it is."""

from __future__ import annotations

import pytest

from tests.image import engine


@pytest.fixture(scope="session", autouse=True)
def image(tmp_path_factory: pytest.TempPathFactory) -> None:
    engine.build(tmp_path_factory.mktemp("lent"))
