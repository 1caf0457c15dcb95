"""The patches as values: what each breaks, and which tests must notice. A header of `Name: value` lines, then a diff.

The diff is git's; one line of context is enough for it to apply, wherever its lines have moved to.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

FOLDER = Path(__file__).parent / "patches"
ROOT = Path(__file__).parents[2]


class DoesNotApply(Exception):
    """The code has changed under a patch; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    promise: str
    """Of what must never happen: 1 to 13."""
    breaks: str
    tests: tuple[str, ...]
    path: Path

    def apply(self, root: Path, dry: bool = False) -> None:
        """Breaks the code below `root`; `dry` only looks whether it could."""
        command = ["git", "apply", "-C1", "--whitespace=nowarn", *(["--check"] if dry else []), str(self.path)]
        # Outside a repository of its own, or git would look for the files where that repository begins.
        env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}
        env |= {"GIT_DIR": os.devnull} if not (root / ".git").exists() else {}
        done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
        if done.returncode != 0:
            raise DoesNotApply(
                f"{self.path.relative_to(ROOT)} no longer applies ({done.stderr.strip()}): make the same mistake "
                "in today's code and save `git diff` below the patch's header"
            )


def read(folder: Path = FOLDER) -> list[Mutant]:
    """All of them, by promise. Raises ValueError where a header is not whole."""
    mutants = [_mutant(path) for path in sorted(folder.glob("*.patch"))]
    return sorted(mutants, key=lambda mutant: (int(mutant.promise), mutant.name))


def _mutant(path: Path) -> Mutant:
    header = HeaderParser().parsestr(path.read_text())
    missing = [name for name in ("Promise", "Breaks", "Test") if not header.get(name)]
    if missing:
        raise ValueError(f"{path.name}: the header has no {', '.join(missing)}; see tests/README.md")
    tests = tuple(" ".join(header.get_all("Test", [])).split())
    return Mutant(path.stem, header["Promise"].strip(), " ".join(header["Breaks"].split()), tests, path)
