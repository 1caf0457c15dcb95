"""What a person stops and lets go again: stored in the ledger, obeyed by every worker, and written down."""

from __future__ import annotations

from pipeline.ledger import Act, Ledger


def pause(ledger: Ledger, destination: str, actor: str, reason: str) -> bool:
    """Nothing is sent to a destination until it is resumed. False where it was paused already."""
    number = ledger.begin(Act(actor, "pause", destination, reason))
    done = ledger.pause(destination, f"{actor}: {reason}" if reason else actor)
    ledger.end(number, "paused" if done else "was paused already")
    return done


def resume(ledger: Ledger, destination: str, actor: str, rule: str | None = None) -> bool:
    """Lifts a person's pause, or the hold of a rule. False where there was none."""
    number = ledger.begin(Act(actor, "resume", destination, f"rule {rule}" if rule else ""))
    done = ledger.resume(destination, rule)
    ledger.end(number, "resumed" if done else "there was no hold")
    return done
