"""`python -m tests.chaos --seed 1 --rounds 200 --json FILE`: rounds of faults, and a table of the thirteen promises.

Stopped at any time, it goes on where FILE ends: with the plans that were not yet played on the code as it is now. A
breach makes it exit with 1; its seed replays the round.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import pickle
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.chaos import record
from tests.chaos.ground import Ground, ground
from tests.chaos.plan import Plan, drawn, failover, full_disk, restore
from tests.chaos.play import play
from tests.chaos.promises import TITLES, Verdict, judge
from tests.chaos.record import Told

KEPT = Path("chaos-logs")


def main() -> int:
    options = _options()
    plans = {record.name(plan): plan for plan in (_plan(options.seed + n, options) for n in range(options.rounds))}
    if options.plan:
        print("\n".join(map(str, plans.values())))
        return 0
    done, others = record.read(options.json)
    if others:
        print(f"{others} rounds in {options.json} were played on other code: they do not count here", flush=True)
    # Those that want the same Kafka one after the other: each other one is started anew.
    left = sorted((plan for name, plan in plans.items() if name not in done), key=lambda plan: plan.brokers)
    played = asyncio.run(_rounds(left, options.json, options.keep)) if left else {}
    rounds = [told for name in plans if (told := played.get(name) or done.get(name))]
    _table(rounds, len(rounds) - len(played))
    return int(any(told["breaches"] for told in rounds))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first round's; the others follow")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scenario", choices=("random", "restore", "failover", "disk"), default="random")
    parser.add_argument("--events", type=int, default=10_000, help="by how many the restored ledger is older")
    parser.add_argument(
        "--json", type=Path, help="a line for each round; what stands there of the same plan and code is not run again"
    )
    parser.add_argument("--plan", action="store_true", help="only print what would happen")
    parser.add_argument("--keep", action="store_true", help="keep the logs of every round, not only of failed ones")
    return parser.parse_args()


def _plan(seed: int, options: argparse.Namespace) -> Plan:
    match options.scenario:
        case "restore":
            return restore(seed, options.events)
        case "failover":
            return failover(seed)
        case "disk":
            return full_disk(seed)
        case _:
            return drawn(seed)


async def _rounds(plans: Sequence[Plan], path: Path | None, keep: bool) -> dict[str, Told]:
    played: dict[str, Told] = {}
    with tempfile.TemporaryDirectory(prefix="calends-chaos-") as folder:
        async with ground(Path(folder)) as up:
            for count, planned in enumerate(plans, 1):
                told = played[record.name(planned)] = await _round(up, planned, Path(folder) / "round", keep)
                print(f"[{count}/{len(plans)}] {_line(told)}", flush=True)
                if path is not None:
                    record.append(path, told)
    return played


async def _round(up: Ground, planned: Plan, folder: Path, keep: bool) -> Told:
    began, cpu = time.monotonic(), _cpu()
    try:
        seen = await play(up, planned, folder)
        (folder / "observation.pickle").write_bytes(pickle.dumps(seen))
        verdicts, converged = judge(seen), seen.converged
    except Exception as error:  # a round that cannot be played proves nothing: it is a failed one
        traceback.print_exc()
        verdicts, converged = [Verdict(1, 0, (f"the round could not be played: {error}",))], None
    told = {
        "seed": planned.seed,
        "plan": str(planned),
        "plan_digest": record.name(planned),
        "code": record.code(),
        "seconds": round(time.monotonic() - began, 1),
        "cpu": round(_cpu() - cpu, 1),
        "converged": converged,
        "chances": {one.number: one.chances for one in verdicts},
        "breaches": {one.number: one.breaches for one in verdicts if one.breaches},
    }
    if told["breaches"] or keep:
        kept = KEPT / f"seed-{planned.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("ledger*"))
        (kept / "round.json").write_text(json.dumps(told, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    return told


def _cpu() -> float:
    """Seconds that this process and all that it started have used."""
    me = psutil.Process()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = sum(me.cpu_times()[:2]) + ended.ru_utime + ended.ru_stime
    for process in me.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            used += sum(process.cpu_times()[:4])
    return used


def _line(told: Told) -> str:
    breaches = [f"{number}: {text}" for number, texts in told["breaches"].items() for text in texts[:3]]
    end = f"BREACHED, --seed {told['seed']} replays it\n    " + "\n    ".join(breaches) if breaches else "kept"
    return f"{told['plan']}; {told['seconds']:g} s, {told['cpu']:g} s of CPU: {end}"


def _table(rounds: Sequence[Told], before: int) -> None:
    played = f", {before} of them played before" if before else ""
    print(f"\n{len(rounds)} rounds on the code {record.code()}{played}")
    print(f"  # {'must never happen':<50}{'chances':>10}{'breaches':>10}")
    for number, title in enumerate(TITLES, 1):
        chances = sum(told["chances"].get(number, told["chances"].get(str(number), 0)) for told in rounds)
        found = [told["breaches"].get(number, told["breaches"].get(str(number), ())) for told in rounds]
        print(f" {number:>2} {title:<50}{chances:>10}{sum(map(len, found)):>10}")
    if rounds:
        seconds, cpu = (sum(told[name] for told in rounds) / len(rounds) for name in ("seconds", "cpu"))
        print(f"a round: {seconds:.1f} s, {cpu:.1f} s of CPU")
    failed = [str(told["seed"]) for told in rounds if told["breaches"]]
    if failed:
        print(f"breached by the seeds {', '.join(failed)}; their logs are in {KEPT}/")


if __name__ == "__main__":
    sys.exit(main())
