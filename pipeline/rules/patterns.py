"""Topics as rules name them, by name or by /a pattern/, and why a pattern cannot be read. Never quotes a pattern."""

from __future__ import annotations

import re

UNREADABLE = (re.error, OverflowError, RecursionError)
"""What a regular expression may raise: absurd repetitions and brackets without end too."""
FAULTS = {
    "missing )": ("a ) for each (", r"write \( where the character itself is meant"),
    "unbalanced parenthesis": ("a ( for each )", r"write \) where the character itself is meant"),
    "unterminated character set": ("a ] for each [", r"write \[ where the character itself is meant"),
    "nothing to repeat": ("something before * + ? or {…} that is repeated", "write .* for anything"),
    "multiple repeat": ("one of * + ? or {…}, not several", "write .* for anything"),
    "min repeat": ("{…} with the smaller number first", "write {1,3}"),
    "bad character range": ("a range from the lower character to the higher", "write [a-z]"),
    "bad escape": (r"a \ only before a mark, as in \.", r"write \\ where the character itself is meant"),
}
"""What Python tells of a pattern begins so → what was expected, and what to write."""


def topic_of(name: str) -> str | re.Pattern[str] | None:
    """A topic as a rule names it; None: a pattern that cannot be read."""
    try:
        return topic_named(name)
    except UNREADABLE:
        return None


def topic_named(name: str) -> str | re.Pattern[str]:
    """Raises one of UNREADABLE."""
    is_pattern = len(name) > 2 and name.startswith("/") and name.endswith("/")
    return re.compile(name[1:-1]) if is_pattern else name


def topic_meant(name: str) -> str:
    """What was meant by a name that no topic has: several of them, or a pattern; empty where nothing is near."""
    if re.search("[, ]", name.strip()) and "{" not in name:
        return f"from: [{', '.join(re.split('[, ]+', name.strip()))}]"
    pattern = re.sub(r"(?<!\.)\*", ".*", name) if re.fullmatch(r"[\w.*-]+", name) else ""
    return f"write /{pattern}/" if "*" in pattern else ""


def is_topic(pattern: str | re.Pattern[str], topic: str) -> bool:
    """Whether a topic is that of a name, or one of a pattern's."""
    return pattern == topic if isinstance(pattern, str) else bool(pattern.fullmatch(topic))


def unreadable(error: Exception) -> tuple[str, str]:
    """What was expected of a pattern, and what to write."""
    words = error.msg if isinstance(error, re.error) else ""
    known = (said for begins, said in FAULTS.items() if words.startswith(begins))
    return next(known, ("a regular expression that Python's re can read", r"such as billing\..*"))
