"""The services every test may ask for, and the rule that no test is skipped."""

import os
import random
from collections.abc import Generator, Iterator
from contextlib import ExitStack, nullcontext
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings

from tests.services import KafkaService, PostgresService, fresh_database, kafka, postgres

settings.register_profile("calends", deadline=None)  # a slow machine is no failure
settings.load_profile("calends")


SERVICES = pytest.StashKey[ExitStack]()
ADDRESSES = pytest.StashKey[dict[str, str]]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Where several processes share the tests out among them, the one that deals them starts the services for all."""
    os.environ.setdefault("PYTHONHASHSEED", str(random.randrange(2**32)))  # one order of sets: the same list of tests
    stack = config.stash[SERVICES] = ExitStack()
    config.stash[ADDRESSES] = {
        "kafka": stack.enter_context(kafka()).bootstrap,
        "postgres": stack.enter_context(postgres()).url,
    }


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput.update(node.config.stash[ADDRESSES])


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash.get(SERVICES, ExitStack()).close()


@pytest.fixture(scope="session")
def kafka_service(request: pytest.FixtureRequest) -> Iterator[KafkaService]:
    """One broker for the whole run: a test that kills or freezes brokers starts its own."""
    given = getattr(request.config, "workerinput", None)
    with kafka() if given is None else nullcontext(KafkaService(given["kafka"])) as service:
        yield service


@pytest.fixture(scope="session")
def secured_kafka() -> Iterator[KafkaService]:
    """A broker that asks who is there, and also listens to whoever it is. Its tests are of one group: one start."""
    with kafka(sasl=True) as service:
        yield service


@pytest.fixture(scope="session")
def postgres_service(request: pytest.FixtureRequest) -> Iterator[PostgresService]:
    """One server for the whole run: a test that kills or freezes it starts its own."""
    given = getattr(request.config, "workerinput", None)
    with postgres() if given is None else nullcontext(PostgresService(given["postgres"])) as service:
        yield service


@pytest.fixture
def topic_prefix() -> str:
    """Topics and groups of this test alone: `f"{topic_prefix}.events"`."""
    return f"t-{uuid4().hex[:12]}"


@pytest.fixture
def postgres_url(postgres_service: PostgresService) -> str:
    """An empty database of this test alone."""
    return fresh_database(postgres_service)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test, or one that is expected to fail, is a promise nobody checked: it fails."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: no test is skipped here, nor expected to fail: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module that skips itself."""
    report = yield
    if report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid}: no test is skipped here: {report.longrepr}"
    return report
