"""`python -m helm.dashboards`: writes each dashboard to its file."""

from __future__ import annotations

from pathlib import Path

from helm.dashboards import DASHBOARDS, text

FOLDER = Path(__file__).parents[1] / "calends" / "files" / "dashboards"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name))


if __name__ == "__main__":
    main()
