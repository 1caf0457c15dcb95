"""The services every test may ask for, and the rule that no test is skipped."""

from collections.abc import Generator, Iterator
from uuid import uuid4

import pytest
from hypothesis import settings

from tests.services import KafkaService, PostgresService, fresh_database, kafka, postgres

settings.register_profile("calends", deadline=None)  # a slow machine is no failure
settings.load_profile("calends")


@pytest.fixture(scope="session")
def kafka_service() -> Iterator[KafkaService]:
    """One broker for the whole run: a test that kills or freezes brokers starts its own."""
    with kafka() as service:
        yield service


@pytest.fixture(scope="session")
def postgres_service() -> Iterator[PostgresService]:
    with postgres() as service:
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
    """A skipped test is a promise nobody checked: it fails. An expected failure (xfail) says why, and stays one."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped; here a test runs or fails: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module that skips itself."""
    report = yield
    if report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped; here a test runs or fails: {report.longrepr}"
    return report
