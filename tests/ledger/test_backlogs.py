"""What is counted of a backlog: exactly, and at once: exactly up to a bound, beyond it as a sample has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from pipeline.ledger import Counted, Ledger, backlogs
from pipeline.ledger.database import clock
from pipeline.ledger.tables import entries
from pipeline.model.change import Change
from pipeline.model.facts import Policy
from pipeline.model.outcome import Accepted, Rejected
from tests.ledger.acts import change, claim, result, take
from tests.ledger.conftest import Open

HORIZONS = (0.0, 3600.0)
MANY, PLENTY = 3000, 20_000


def numbers(counted: Counted) -> dict[tuple[str, str], int]:
    return {place: n for place, (n, _) in counted.backlog.items()}


def within(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def matters(key: str, hours: float, **more: Any) -> tuple[Change, dict[str, Any]]:
    return change(key, matters_at=within(hours), **more)


def copies(ledger: Ledger, key: str, count: int) -> None:
    """So many more entries like this one."""
    values = ", ".join("key || '-' || i" if column.name == "key" else column.name for column in entries.c)
    names = ", ".join(column.name for column in entries.c)
    some = f"with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})"
    copied = f"{some} select {values} from entries cross join n where key = '{key}'"
    ledger._transaction(lambda connection: connection.execute(text(f"insert into entries ({names}) {copied}")))


@pytest.fixture
def ledger(opened: Open) -> Ledger:
    """Ten that are ready, three of them by now and the others of an older event, and one that was refused."""
    made = opened(windows=((1000, 1.0),))
    take(made, change("bad"))
    made.settle([result(claim(made).grants[0], Rejected("invalid", "422"))])
    take(made, *(matters(f"now{n}", -1, event_time=within(-1)) for n in range(3)))
    take(made, *(matters(f"later{n}", 0.5, event_time=within(-2)) for n in range(7)))
    return made


def test_up_to_the_bound_every_figure_is_exact(ledger: Ledger) -> None:
    at_once = ledger.counted(HORIZONS, bound=10)
    assert numbers(at_once) == {("d", "ready"): 10, ("d", "held"): 1}
    assert at_once.urgent == {"d": [(3, 0), (10, 0)]}
    assert (at_once.estimated, at_once.urgent_estimated) == (frozenset(), frozenset())


def test_beyond_the_bound_it_is_an_estimate_and_says_so_and_what_is_below_stays_exact(ledger: Ledger, url: str) -> None:
    at_once = ledger.counted(HORIZONS, bound=9)
    assert numbers(at_once) == {("d", "ready"): 10, ("d", "held"): 1}
    assert at_once.urgent == {"d": [(3, 0), (10, 0)]}
    beyond = not url.startswith("sqlite")  # which counts two million out of its index at once
    assert at_once.estimated == ({("d", "ready")} if beyond else frozenset())
    assert at_once.urgent_estimated == ({"d"} if beyond else frozenset())


@pytest.mark.parametrize("bound", [10, 1])
def test_the_age_of_the_oldest_is_exact_up_to_the_bound_and_beyond_it(ledger: Ledger, bound: int) -> None:
    _, oldest = ledger.counted(HORIZONS, bound).backlog["d", "ready"]
    assert oldest == pytest.approx(2 * 3600, abs=60)


def test_nothing_is_zero_and_no_estimate(opened: Open) -> None:
    ledger = opened({name: Policy(name, "a") for name in ("d", "e")})
    assert ledger.counted(HORIZONS, bound=0) == Counted({}, {})


def test_what_is_in_doubt_is_counted_while_it_is_held(ledger: Ledger, url: str) -> None:
    ledger.went_back({})
    in_round_figures = 11 if url.startswith("sqlite") else 10
    for bound, n in ((11, 11), (10, in_round_figures)):
        at_once = ledger.counted(HORIZONS, bound)
        assert numbers(at_once) == {("d", "held"): n}
        assert at_once.urgent == {"d": [(0, 4), (0, n)]}


def test_what_is_in_step_is_the_rest_and_beyond_the_bound_as_the_sample_has_it(ledger: Ledger) -> None:
    for _ in range(4):
        ledger.settle([result(claim(ledger, 1).grants[0], Accepted("id"))])
    backlog = ledger.counted(HORIZONS).backlog
    assert numbers(ledger.counted(HORIZONS)) == {("d", "ready"): 6, ("d", "held"): 1}
    for bound in (11, 10):
        assert ledger._database.look(lambda c, n=bound: backlogs.idle(c, ["d"], backlog, n)) == {"d": 4}


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_what_is_few_is_found_by_an_index_whatever_a_plan_thinks_of_it(opened: Open) -> None:
    """Statistics that take all for ready make a look through the whole table seem quick."""
    ledger = opened(windows=())
    take(ledger, change("k", title="t" * 600))
    copies(ledger, "k", PLENTY)
    ledger._transaction(lambda connection: connection.execute(text("analyze entries")))
    asked = text("select seq_scan, idx_tup_fetch from pg_stat_xact_user_tables where relname = 'entries'")

    def look(connection: Connection) -> tuple[int, int]:
        before = connection.execute(asked).one()
        found = backlogs.counted(connection, clock(connection), HORIZONS, ["d", "e"], 2 * PLENTY)
        backlogs.idle(connection, ["d", "e"], found.backlog, 2 * PLENTY)
        scans, rows = (now - then for now, then in zip(connection.execute(asked).one(), before, strict=True))
        return scans, rows

    scans, rows = ledger._database.look(look)
    assert scans == 0
    assert rows <= 3 * (PLENTY + 20), "once by state, once by rank, once in all"


def test_a_sample_of_the_pages_tells_of_all(opened: Open, url: str) -> None:
    """Three thousand later ones and as many now, of which a fifth of the pages is looked at."""
    ledger = opened(windows=())
    take(ledger, matters("now", -1), matters("later", 0.5))
    copies(ledger, "now", MANY - 1)
    copies(ledger, "later", MANY - 1)

    def look(connection: Connection) -> Counted:
        return backlogs.counted(connection, clock(connection), HORIZONS, ["d"], 100, pages=60)

    sampled = ledger._database.look(look)
    (now, _), (all_, _) = sampled.urgent["d"]
    assert now == pytest.approx(MANY, rel=0.5)
    assert all_ == pytest.approx(2 * MANY, rel=0.5)
    assert numbers(sampled) == {("d", "ready"): all_}
    assert sampled == ledger._database.look(look) or url.startswith("sqlite")


@pytest.mark.parametrize(
    ("sampled", "share", "about"), [(12_345, 0.01, 1_200_000), (99, 0.01, 10_000), (1, 0.001, 1_000), (0, 0.5, 0)]
)
def test_an_estimate_has_no_more_digits_than_it_knows(sampled: int, share: float, about: int) -> None:
    assert backlogs.about(sampled, share) == about
