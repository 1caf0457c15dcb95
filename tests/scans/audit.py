"""`make audit`: known vulnerabilities of what is locked. Ends with 1 where there are any, with 3 where nobody can say.

It must never call good what was not looked up: without a database pip-audit skips all there is, and finds nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
AUDIT = [
    UV,
    "tool",
    "run",
    "--quiet",
    "pip-audit@2.10.1",
    "--disable-pip",
    "--no-deps",
    "--progress-spinner=off",
    "--format=json",
]
FINE, FOUND, UNKNOWN = 0, 1, 3


def main() -> int:
    done = subprocess.run(
        [*AUDIT, "-r", ROOT / "requirements.lock"], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
        print(done.stderr, file=sys.stderr)
    code, lines = verdict(packages)
    print("\n".join(lines))
    return code


def verdict(packages: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
    """The exit code, and what to say; `packages` as pip-audit tells them."""
    known = [package for package in packages if "skip_reason" not in package]
    lines = [told(package, hole) for package in known for hole in package["vulns"]]
    unknown = len(packages) - len(known)
    if unknown or not packages:
        lines.append(
            f"{unknown or 'all'} packages were not looked up: no database of vulnerabilities has answered for them"
        )
        return FOUND if len(lines) > 1 else UNKNOWN, lines
    return (FOUND, lines) if lines else (FINE, [f"{len(known)} packages, no known vulnerability"])


def told(package: dict[str, Any], hole: dict[str, Any]) -> str:
    mended = ", ".join(hole["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {hole['id']}, mended in {mended}"


if __name__ == "__main__":
    sys.exit(main())
