"""The files whose change may change what rules do, and their changes. Reads files, and writes none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from pipeline.operate.check import check

MOUNTED = "..data"
"""The link that Kubernetes puts in the place of another when a ConfigMap changes."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The files that were read, and the folders in which a new rule file counts."""

    files: frozenset[Path]
    folders: frozenset[Path]
    """Of rule files, at any depth."""

    def around(self) -> list[Path]:
        """The folders to look at: a file that is replaced is a new one."""
        folders = {file.parent for file in self.files} | self.folders
        return sorted(folder for folder in folders if folder.is_dir())

    def heeds(self, _change: object, path: str) -> bool:
        """A filter of watchfiles."""
        changed = Path(path)
        return (
            changed in self.files
            or changed.name == MOUNTED
            or (changed.suffix in (".yaml", ".yml") and any(folder in changed.parents for folder in self.folders))
        )


def watched(files: Sequence[Path]) -> Watched:
    """Of these configurations, as they are now. All paths are resolved."""
    read, folders = set[Path](), set[Path]()
    for file in files:
        report = check(file, secrets=False, tests=False)
        read |= {path for name in (str(file), *report.rules.files) for path in _places(Path(name))}
        if report.settings and isinstance(report.settings.rules, str):
            named = file.parent / report.settings.rules
            if named.is_dir():
                folders.add(named.resolve())
            else:
                read.update(_places(named))
    return Watched(frozenset(read), frozenset(folders))


async def changes(file: Path, stopping: asyncio.Event) -> AsyncIterator[None]:
    """One for each change of this configuration's files. What it reads after a change is watched from then on."""
    from watchfiles import awatch  # only a running worker needs it

    seen, before = await asyncio.to_thread(watched, [file]), None
    while seen != before:
        if before is not None:
            yield  # what changed before these files were watched
        before = seen
        async with aclosing(awatch(*seen.around(), watch_filter=seen.heeds, stop_event=stopping)) as found:
            async for _ in found:
                yield
                seen = await asyncio.to_thread(watched, [file])
                if seen != before:
                    break


def _places(file: Path) -> tuple[Path, Path]:
    """Where a file is, and where its name is: a link may be put in its place."""
    return file.resolve(), file.parent.resolve() / file.name
