"""`make sbom`: dist/calends.cdx.json, the software bill of materials (CycloneDX) of what the image installs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPILE = ("--quiet", "--no-annotate", "--no-header", "--generate-hashes", "--constraint", "requirements.lock")
EXTRAS = ("--extra", "demo", "--extra", "registry")
"""As the Dockerfile."""


def write(folder: Path) -> Path:
    """The file. The packages are resolved as the Dockerfile does, each in the lock's version."""
    folder.mkdir(parents=True, exist_ok=True)
    lock, bill = folder / "run.lock", folder / "calends.cdx.json"
    lock.write_bytes((ROOT / "requirements.lock").read_bytes())
    _run(BIN / "uv", "pip", "compile", *COMPILE, *EXTRAS, "pyproject.toml", "--output-file", lock)
    words = ("--pyproject", "pyproject.toml", "--output-reproducible", "--output-format", "JSON", "--output-file", bill)
    # It warns that a list has no dependency graph.
    _run(sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", *words, lock)
    return bill


def _run(*command: str | Path) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    print(write(ROOT / "dist"))
