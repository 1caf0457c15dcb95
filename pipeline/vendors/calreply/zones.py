"""IANA zones → the Windows ids of CalReply's own list ("Timezones"), where they fit, and back.

The table's offsets are never used: several are out of date. An id fits where the zone that stands behind it has the
same offset at the start and at the end of the entry.
"""

from __future__ import annotations

from collections import ChainMap
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import tz_win, win_tz

from pipeline.model.when import is_zone

_LIST = """
    Dateline Standard Time
    UTC-11
    Hawaiian Standard Time
    Alaskan Standard Time
    Pacific Standard Time (Mexico)
    Pacific Standard Time
    US Mountain Standard Time
    Mountain Standard Time (Mexico)
    Mountain Standard Time
    Central America Standard Time
    Central Standard Time
    Central Standard Time (Mexico)
    Canada Central Standard Time
    SA Pacific Standard Time
    Eastern Standard Time (Mexico)
    Eastern Standard Time
    US Eastern Standard Time
    Venezuela Standard Time
    Paraguay Standard Time
    Atlantic Standard Time
    Central Brazilian Standard Time
    SA Western Standard Time
    Newfoundland Standard Time
    E. South America Standard Time
    SA Eastern Standard Time
    Argentina Standard Time
    Greenland Standard Time
    Montevideo Standard Time
    Bahia Standard Time
    Pacific SA Standard Time
    UTC-02
    Mid-Atlantic Standard Time
    Azores Standard Time
    Cape Verde Standard Time
    Morocco Standard Time
    UTC
    GMT Standard Time
    Greenwich Standard Time
    W. Europe Standard Time
    Central Europe Standard Time
    Romance Standard Time
    Central European Standard Time
    W. Central Africa Standard Time
    Namibia Standard Time
    Jordan Standard Time
    GTB Standard Time
    Middle East Standard Time
    Egypt Standard Time
    Syria Standard Time
    E. Europe Standard Time
    South Africa Standard Time
    FLE Standard Time
    Turkey Standard Time
    Israel Standard Time
    Kaliningrad Standard Time
    Libya Standard Time
    Arabic Standard Time
    Arab Standard Time
    Belarus Standard Time
    Russian Standard Time
    E. Africa Standard Time
    Iran Standard Time
    Arabian Standard Time
    Azerbaijan Standard Time
    Russia Time Zone 3
    Mauritius Standard Time
    Georgian Standard Time
    Caucasus Standard Time
    Afghanistan Standard Time
    West Asia Standard Time
    Ekaterinburg Standard Time
    Pakistan Standard Time
    India Standard Time
    Sri Lanka Standard Time
    Nepal Standard Time
    Central Asia Standard Time
    Bangladesh Standard Time
    N. Central Asia Standard Time
    Myanmar Standard Time
    SE Asia Standard Time
    North Asia Standard Time
    China Standard Time
    North Asia East Standard Time
    Singapore Standard Time
    W. Australia Standard Time
    Taipei Standard Time
    Ulaanbaatar Standard Time
    North Korea Standard Time
    Tokyo Standard Time
    Korea Standard Time
    Yakutsk Standard Time
    Cen. Australia Standard Time
    AUS Central Standard Time
    E. Australia Standard Time
    AUS Eastern Standard Time
    West Pacific Standard Time
    Tasmania Standard Time
    Magadan Standard Time
    Vladivostok Standard Time
    Russia Time Zone 10
    Central Pacific Standard Time
    Russia Time Zone 11
    New Zealand Standard Time
    UTC+12
    Fiji Standard Time
    Kamchatka Standard Time
    Tonga Standard Time
    Samoa Standard Time
    Line Islands Standard Time
"""
IDS = frozenset(line.strip() for line in _LIST.strip().splitlines())

# Two ids that CalReply marks "Old" and CLDR does not have (2026-11).
_BY_HAND = {"Mid-Atlantic Standard Time": "Etc/GMT+2", "Kamchatka Standard Time": "Asia/Kamchatka"}
_IANA = {**win_tz, **_BY_HAND}
# Links of old that CLDR's table does not have (2026-11).
_OLD = {
    "GMT": "UTC",
    "EST5EDT": "Eastern Standard Time",
    "CST6CDT": "Central Standard Time",
    "MST7MDT": "Mountain Standard Time",
    "PST8PDT": "Pacific Standard Time",
    "US/East-Indiana": "US Eastern Standard Time",
    "Europe/Uzhgorod": "FLE Standard Time",
    "Europe/Zaporozhye": "FLE Standard Time",
}
_WINDOWS = ChainMap(tz_win, _OLD)


def named(zone: str) -> str | None:
    """CalReply's id for a zone given as an id of its list or by its IANA name, whatever the moment."""
    name = zone if zone in IDS else _WINDOWS.get(zone)
    return name if name in IDS else None


def fitting(zone: str, *moments: datetime) -> str | None:
    """CalReply's id for an IANA zone, good at these local moments; None where the list has none."""
    name = _WINDOWS.get(zone)
    if name is None or name not in IDS:
        return None
    here, there = ZoneInfo(zone), ZoneInfo(_IANA[name])
    return name if all(_same(moment, here, there) for moment in moments) else None


def behind(name: str) -> ZoneInfo | None:
    """The zone behind a name in a feed, which may be a Windows id or an IANA name."""
    iana = _IANA.get(name, name)
    return ZoneInfo(iana) if is_zone(iana) else None


def _same(moment: datetime, here: ZoneInfo, there: ZoneInfo) -> bool:
    """Whether a local time is one to the vendor as well, and the same: of a doubled one, the first."""
    read = moment.replace(tzinfo=there, fold=0)
    skipped = read.astimezone(UTC).astimezone(there).replace(tzinfo=None, fold=0) != moment.replace(fold=0)
    return not skipped and moment.replace(tzinfo=here).utcoffset() == read.utcoffset()
