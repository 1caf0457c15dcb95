"""What rounds came to, a line each in a file: by plan and by the state of the code, so that a run goes on where it
stopped and never tells of another plan or of other code.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.chaos.plan import Plan

ROOT = Path(__file__).parents[2]
JUDGED = ("pipeline", "tests/chaos", "tests/services")
"""The code that a round depends on: what is judged, and its judges."""
Told = Mapping[str, Any]


@cache
def code() -> str:
    """The state of the code: the commit's name, and a digest of the files as they are, committed or not."""
    digest = hashlib.sha256()
    for path in sorted(path for part in JUDGED for path in (ROOT / part).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    asked = ["git", "rev-parse", "--short=10", "HEAD"]
    head = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return f"{head or 'no commit'} {digest.hexdigest()[:12]}"


def state(named: str) -> str:
    """Of a name of the code, what tells its state: another commit may have the same code."""
    return named.rpartition(" ")[2]


def name(plan: Plan) -> str:
    """The same for the same plan alone: not for the same seed of another scenario, size or catalogue."""
    return hashlib.sha256(plan.digest().encode()).hexdigest()[:16]


def read(path: Path | None) -> tuple[dict[str, Told], int]:
    """By plan, the rounds in a file that were played on this code; and how many others stand there."""
    lines = path.read_text().splitlines() if path is not None and path.exists() else []
    told = [json.loads(line) for line in lines]
    mine = {each["plan_digest"]: each for each in told if state(each.get("code", "")) == state(code())}
    return mine, sum(state(each.get("code", "")) != state(code()) for each in told)


def append(path: Path, told: Told) -> None:
    with path.open("a") as lines:
        lines.write(json.dumps(told) + "\n")
