"""The filters of templates: ours alone, every output bounded, no locale, no clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from pipeline.model.when import BadTime, parse_date, parse_duration, parse_moment, to_local
from pipeline.rules.views import unwrap

MAX_TEXT = 64 * 1024
_NO_MINOR = frozenset(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"))
_THREE_MINOR = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
_PLACES = tuple(Decimal(1).scaleb(-digits) for digits in range(5))
_SCALARS = (str, int, float)
_LARGEST = Decimal("1e24")
_DATE_CODES = frozenset("aAbBdejmyYHIMpS%")


class FilterError(ValueError):
    """A filter cannot take what it was given. The message names types, never values."""


def money(value: Any, currency: Any = None) -> str:
    """`1,250.00 EUR`: as many decimals as the currency has, half up."""
    if not isinstance(currency, str) or len(currency) != 3 or not currency.isalpha():
        raise FilterError("money needs a currency of three letters")
    code = currency.upper()
    digits = 0 if code in _NO_MINOR else 3 if code in _THREE_MINOR else 2
    return f"{_rounded(value, digits):,f} {code}"


def number(value: Any, digits: Any = 0) -> str:
    """`1,250.5`: exactly so many decimals, half up."""
    return f"{_rounded(value, _small(digits, 'number')):,f}"


def round_(value: Any, digits: Any = 0) -> float:
    places = _small(digits, "round")
    rounded = _rounded(value, places)
    return float(rounded) if places else int(rounded)


def times(value: Any, factor: Any) -> float:
    _numbers("times", value, factor)
    return _finite(value * factor)


def date_(value: Any, form: Any = "%Y-%m-%d") -> str:
    """The day of a date or time, or by strftime codes: %a %A %b %B %d %e %H %I %j %m %M %p %S %y %Y."""
    text = _of(form, str, "date", "a format")
    codes = text.replace("%%", "").split("%")[1:]
    if len(text) > 200 or any(code[:1] not in _DATE_CODES for code in codes):
        raise FilterError("date knows %a %A %b %B %d %e %H %I %j %m %M %p %S %y %Y")
    return _moment(value, "date").strftime(text)


def plus(value: Any, duration: Any) -> str:
    """Later by a duration; a date stays a date where the duration is whole days."""
    return _shift(value, duration, 1, "plus")


def minus(value: Any, duration: Any) -> str:
    return _shift(value, duration, -1, "minus")


def in_zone(value: Any, zone: Any) -> str:
    """An instant as the local time of a zone."""
    moment = parse_moment(_of(value, str, "in_zone", "an instant"))
    if moment.tzinfo is None:
        raise FilterError("in_zone needs an instant: a time with its offset")
    return to_local(moment, _of(zone, str, "in_zone", "a zone")).isoformat()


def upper(value: Any) -> str:
    return _bounded(_of(value, str, "upper").upper())


def lower(value: Any) -> str:
    return _bounded(_of(value, str, "lower").lower())


def trim(value: Any) -> str:
    return _of(value, str, "trim").strip()


def replace(value: Any, old: Any, new: Any) -> str:
    text, before, after = (_of(part, str, "replace") for part in (value, old, new))
    if not before:
        raise FilterError("replace needs a text to look for")
    if len(text) + text.count(before) * (len(after) - len(before)) > MAX_TEXT:
        raise FilterError("a text is larger than 64 KiB")
    return text.replace(before, after)


def join(value: Any, between: Any = ", ") -> str:
    members = unwrap(value)
    if not isinstance(members, list):
        raise FilterError(f"join needs a list, not {kind(members)}")
    return _bounded(_of(between, str, "join").join(string(member) for member in members[:10_000]))


def length(value: Any) -> int:
    value = unwrap(value)
    if not isinstance(value, str | list | dict):
        raise FilterError(f"length needs a text, a list or a map, not {kind(value)}")
    return len(value)


def int_(value: Any) -> int:
    try:
        if isinstance(value, float) and value != int(value):
            raise FilterError("int needs a whole number; use round")
        return int(_scalar(value, "int"))
    except (ValueError, OverflowError):
        raise FilterError("int needs a whole number") from None


def float_(value: Any) -> float:
    return _finite(float(_decimal(value, "float")))


def string(value: Any) -> str:
    """Text of a string or an integer; what else a value might print as is never guessed."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FilterError(f"a text is made of strings and integers, not {kind(value)}; see money and number")
    return _bounded(str(value))


def bool_(value: Any) -> bool:
    """A bool, or the texts `true` and `false`."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise FilterError(f'bool needs a bool, "true" or "false", not {kind(value)}')


OURS: dict[str, Callable[..., Any]] = {
    "money": money, "number": number, "date": date_, "plus": plus, "minus": minus, "times": times,
    "in_zone": in_zone, "upper": upper, "lower": lower, "trim": trim, "replace": replace, "join": join,
    "length": length, "round": round_, "int": int_, "float": float_, "string": string, "bool": bool_,
}  # fmt: skip
"""By the name in templates. `default` is MiniJinja's own: only it may see what is missing."""


def kind(value: Any) -> str:
    """The JSON name of a value's type, for explanations."""
    value = unwrap(value)
    names = {type(None): "null", bool: "a bool", str: "a text", int: "an integer", float: "a decimal number"}
    return names.get(type(value), "a list" if isinstance(value, list) else "a map")


def _of(value: Any, wanted: type[str], name: str, what: str = "a text") -> str:
    if not isinstance(value, wanted):
        raise FilterError(f"{name} needs {what}, not {kind(value)}")
    return value


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise FilterError("a text is larger than 64 KiB")
    return text


def _scalar(value: Any, name: str) -> Any:
    _printed(value, name)
    return value


def _printed(value: Any, name: str) -> str:
    """A number, or a text that may be one, as text."""
    if isinstance(value, bool) or not isinstance(value, _SCALARS) or len(text := str(value)) > 60:
        raise FilterError(f"{name} needs a number, not {kind(value)}")
    return text


def _numbers(name: str, *values: Any) -> None:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FilterError(f"{name} needs numbers, not {kind(value)}")


def _finite(value: float) -> float:
    if not -1e30 < value < 1e30:
        raise FilterError("a number is too large")
    return value


def _decimal(value: Any, name: str) -> Decimal:
    try:
        found = Decimal(_printed(value, name))
    except InvalidOperation:
        raise FilterError(f"{name} needs a number, not another text") from None
    if not found.is_finite() or abs(found) > _LARGEST:
        raise FilterError(f"{name} needs a number of a reasonable size")
    return found


def _rounded(value: Any, digits: int) -> Decimal:
    return _decimal(value, "a number filter").quantize(_PLACES[digits], ROUND_HALF_UP)


def _small(digits: Any, name: str) -> int:
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 4:
        raise FilterError(f"{name} takes 0 to 4 digits")
    return digits


def _moment(value: Any, name: str) -> date:
    text = _of(value, str, name, "a date or a time")
    return parse_date(text) if len(text) == 10 else parse_moment(text)


def _shift(value: Any, duration: Any, sign: int, name: str) -> str:
    moment = _moment(value, name)
    by = parse_duration(_of(duration, str, name, "a duration such as '30d'"))
    try:
        if not isinstance(moment, datetime) and by % timedelta(days=1):
            moment = datetime(moment.year, moment.month, moment.day)
        return (moment + by if sign > 0 else moment - by).isoformat()
    except OverflowError:
        raise BadTime("a date is out of range") from None
