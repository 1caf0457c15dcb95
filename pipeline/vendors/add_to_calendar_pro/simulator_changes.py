"""What a write makes of an event that the simulated Add to Calendar PRO holds."""

from __future__ import annotations

from pipeline.vendors.add_to_calendar_pro.simulator_checks import Element, RefusedError

# An event after a write


def changed_by(event: Element, fields: Element) -> Element:
    """ "Fields you send are updated, fields you do not send stay, null clears"; `dates` goes by position."""
    changed = {**event, **{name: value for name, value in fields.items() if name != "dates"}}
    if fields.get("dates") is not None:
        changed["dates"] = positioned(event["dates"], fields["dates"])
    return {name: value for name, value in changed.items() if value is not None or name == "date_updated"}


def positioned(held: list[Element], sent: list[Element]) -> list[Element]:
    rows = []
    for at in range(max(len(held), len(sent))):
        before, said = held[at] if at < len(held) else {}, sent[at] if at < len(sent) else None
        if said == {}:
            raise RefusedError(400, "dates: at least one field of each date")
        row = {name: value for name, value in {**before, **(said or {})}.items() if value is not None}
        if not row and at >= len(held):
            raise RefusedError(400, "dates: there is no such date")
        rows.append(row)
    return [row for row in rows if row]  # "null all values of a date to remove it"
