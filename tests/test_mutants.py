"""The patches of `make mutants` still apply to the code, every promise has one, and every test that they name exists.

Whether their tests go red is for `make mutants`: it takes minutes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.mutant import ROOT, DoesNotApply, Mutant, read

MUTANTS = read()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_applies_and_its_tests_are_there(mutant: Mutant) -> None:
    mutant.apply(ROOT, dry=True)
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).exists(), test
        assert name.partition("[")[0] in (ROOT / file).read_text() if name else True, test


def test_each_promise_has_a_mutant() -> None:
    assert {mutant.promise for mutant in MUTANTS} == {str(number) for number in range(1, 14)}


def test_each_is_named_in_the_readme() -> None:
    named = set(re.findall(r"`(\w+)`", (ROOT / "tests" / "README.md").read_text()))
    assert sorted({mutant.name for mutant in MUTANTS} - named) == []


def test_a_patch_that_no_longer_applies_says_so(tmp_path: Path) -> None:
    with pytest.raises(DoesNotApply, match=r"versions_ignored\.patch no longer applies .*: make the same mistake"):
        next(mutant for mutant in MUTANTS if mutant.name == "versions_ignored").apply(tmp_path, dry=True)
