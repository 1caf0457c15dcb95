"""All that can be known of rules without an event: names, fields, templates, and the files' own tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from pipeline.model.change import BASE
from pipeline.model.entry import FIELDS
from pipeline.model.when import BadZone
from pipeline.rules import recurrence, slots
from pipeline.rules.adapt import NOTHING, DestinationView
from pipeline.rules.compiled import CompiledRule, CompiledSend, has_template
from pipeline.rules.evaluate import RuleSet, compile_rules
from pipeline.rules.filters import kind
from pipeline.rules.fitting import unfitting
from pipeline.rules.futile import futile
from pipeline.rules.idioms import FLAGS
from pipeline.rules.language import suggest
from pipeline.rules.local_times import read_elsewhere
from pipeline.rules.masking import shown
from pipeline.rules.overlap import twice
from pipeline.rules.paths import paths, problems_of_paths
from pipeline.rules.problem import Problem, Where
from pipeline.rules.render import RenderError, Template
from pipeline.rules.schema import Rules, Send, Shape, Sourced
from pipeline.rules.selftest import run_tests
from pipeline.rules.unsayable import TIMES, Certain
from pipeline.rules.zone_names import zone_asked


def check_rules(
    rules: Rules,
    destinations: Mapping[str, DestinationView],
    layers: Sequence[str] = (BASE,),
    doubtful: Collection[str] = (),
) -> list[Problem]:
    """Every problem of these rules, in the order of files and lines. The tests run where there is no other problem.

    `doubtful` destinations are wrong themselves: they may be named, and nothing is said of what they can say.
    """
    compiled, problems = compile_rules(rules, destinations, layers, doubtful)
    certain = {name: view for name, view in destinations.items() if name not in doubtful}
    for sourced, rule in zip(rules.rules, compiled, strict=True):
        problems += _rule(sourced, rule, certain)
        told = {(one.file, one.line, one.column) for one in problems}
        problems += (one for one in unfitting(sourced, rule, certain) if (one.file, one.line, one.column) not in told)
    problems += [*twice(rules.rules), *rules.of_tests]
    if rules.tests and not problems:
        problems += run_tests(RuleSet(rules, destinations, tuple(layers)))
    return sorted(set(problems))


def _rule(sourced: Sourced, rule: CompiledRule, destinations: Mapping[str, DestinationView]) -> Iterator[Problem]:
    if sourced.whole and not rule.sends and not rule.links:
        yield sourced.problem((), "a rule that does nothing", rule.name, "send: or link:")
    yield from _empty(sourced)
    yield from _globs(sourced)
    if rule.when is False:
        yield sourced.problem(("when",), "this rule never applies", "when: false", "an expression, or no rule")
    yield from problems_of_paths(sourced, rule)
    yield from futile(sourced, rule)
    yield from _literal(sourced, ("sequence",), rule.sequence, slots.order)
    yield from _links(sourced, rule)
    for index, compiled in enumerate(rule.sends):
        yield from _send(sourced, compiled, ("send", index), destinations)
    if sourced.whole:
        yield from _twice(sourced)


def _send(
    sourced: Sourced, compiled: CompiledSend, at: Where, destinations: Mapping[str, DestinationView]
) -> Iterator[Problem]:
    send = compiled.send
    views = [destinations[name] for name in send.to if name in destinations]
    yield from _shape(sourced, send, at)
    yield from _grouped(sourced, send, at)
    yield from _literals(sourced, compiled, at)
    if len(views) == len(send.to):
        yield from _sections(sourced, send, at, views)
    for view in views:
        yield from _destination(sourced, compiled, at, view)


def _twice(sourced: Sourced) -> Iterator[Problem]:
    """Send items that write what one before them writes."""
    seen: set[tuple[str, str | int | None, str]] = set()
    for index, send in enumerate(sourced.rule.send):
        for name in send.to:
            if (name, send.key, send.layer) in seen:
                found, expected = f"{name}, layer {send.layer}", "another key or layer"
                place: Where = ("send", index, "to")
                yield sourced.problem(place, "two changes to one layer of one entry", found, expected)
            seen.add((name, send.key, send.layer))


def _shape(sourced: Sourced, send: Send, at: Where) -> Iterator[Problem]:
    ends = send.cancel or send.delete
    if send.cancel and send.delete:
        yield sourced.problem((*at, "delete"), "both cancel and delete", "both", "one of them")
    if send.subscriber is not None and send.identity is not None and "omit" not in str(send.identity):
        expected = "subscriber:, which the directory looks up, or identity:, the vendor's id"
        yield sourced.problem((*at, "identity"), "both subscriber and identity", "both", expected)
    if ends and (send.entry or send.own):
        yield sourced.problem((*at, "entry"), "an entry beside cancel or delete", "entry", "no entry")
    if ends and send.layer != BASE:
        yield sourced.problem((*at, "layer"), "cancel and delete are of the whole entry", send.layer, "no layer")
    if sourced.whole and sourced.strange.isdisjoint(FIELDS) and not (ends or send.entry or send.own):
        expected = "entry, in a layer also entry: {}; cancel: true or delete: true"
        yield sourced.problem(at, "a send item that says nothing", "", expected)


def _empty(sourced: Sourced) -> Iterator[Problem]:
    """What stands there without a value: without its key an entry would be another one each time."""
    rule = sourced.rule
    holders: list[tuple[Where, Shape]] = [((), rule)]
    holders += [(("send", index), send) for index, send in enumerate(rule.send)]
    for at, holder in holders:
        for name in holder.model_fields_set:
            if getattr(holder, name) is None:
                yield sourced.problem((*at, name), f"{name} is empty", "null", f"a value, or no {name}: at all")


def _links(sourced: Sourced, rule: CompiledRule) -> Iterator[Problem]:
    for index, (link, written) in enumerate(zip(rule.links, sourced.rule.link, strict=True)):
        at: Where = ("link", index)
        for name, value in (("subscriber", link.subscriber), ("identity", link.identity), ("ended", link.ended)):
            yield from _literal(sourced, (*at, name), value, slots.name, told=False)
        if written.identity is not None and written.ended is not None:
            expected = "identity: of a link that is made, or ended: of one that ends"
            yield sourced.problem((*at, "ended"), "both identity and ended", "both", expected)
        if written.ended is not None or _lacks(sourced, at):
            continue
        if written.subscriber is None:
            yield sourced.problem(at, "a link needs a subscriber", "", "subscriber: or ended:")
        elif "identity" not in written.model_fields_set:
            expected = "identity: the vendor's id; identity: null to end the subscriber's link; or ended:"
            yield sourced.problem(at, "a link needs an identity", "", expected)


def _globs(sourced: Sourced) -> Iterator[Problem]:
    """Globs that fit no event."""
    for index, on in enumerate(sourced.rule.events()):
        place: Where = ("on", index)
        for glob in on.type:
            if glob.count("[") > glob.count("]"):
                expected, advice = "a ] for its [", "globs know * ? [abc]"
                yield sourced.problem(place, "this glob fits nothing", glob[:60], expected, advice)
            elif "{{" in glob or "{%" in glob:
                expected, advice = "a type", 'say it in when: "{{ event.type == … }}"'
                yield sourced.problem(place, "no template may stand here", glob[:60], expected, advice)
            elif re.search(r"\\|\.\+|[\^$|(){}\s]|^/.*/$", glob):
                expected = "a type, in which * is anything, ? one character, [abc] one of these"
                advice = f"on: {_glob_meant(glob)[:60]}"
                yield sourced.problem(place, "a glob is no regular expression", glob[:60], expected, advice)


def _glob_meant(expression: str) -> str:
    """The glob, or the list of them, that a regular expression may have meant."""
    written = re.sub(r"(\\\.)?\.[*+]", ".*", re.sub(r"^/(.*)/$", r"\1", expression.strip()))
    several = re.split(r"[\s,|]+", re.sub(r"[\\^$()]", "", written))
    globs = ", ".join(several)
    return f"[{globs}]" if len(several) > 1 else globs


def _grouped(sourced: Sourced, send: Send, at: Where) -> Iterator[Problem]:
    ends = send.cancel or send.delete
    lacks = _lacks(sourced, at)
    if send.complete and send.group is None and not lacks:
        yield sourced.problem((*at, "complete"), "complete without a group", "no group", "group:")
    if send.delete and send.group is not None:
        expected = "key: alone, or cancel: true, which with a group and no key ends all of it"
        yield sourced.problem((*at, "delete"), "delete does not end a group", "delete: true", expected)
        return
    if send.group is not None and send.layer != BASE:
        expected = "no group: here; an entry's base says which group it is in"
        yield sourced.problem((*at, "group"), "only a base belongs to a group", send.layer, expected)
    if send.complete and ends:
        expected = "no complete; cancel: true with a group and no key ends all of it"
        yield sourced.problem((*at, "complete"), "complete beside cancel or delete", "complete: true", expected)
    if ends and send.key is None and not lacks and not (send.cancel and send.group is not None):
        yield sourced.problem(at, "this ends no entry", "no key", "key:, or with cancel: true a group:")
    if send.each is not None and not lacks and not any(path.parts[0] == "item" for path in paths(str(send.key or ""))):
        expected = "a key that names the item, e.g. with {{ item.id }}"
        yield sourced.problem((*at, "key"), "all items would have one key", str(send.key or "no key")[:60], expected)
    if isinstance(send.group, str) and any(path.parts[0] == "item" for path in paths(send.group)):
        yield sourced.problem((*at, "group"), "a group is of all items", "item", "a group of data or event alone")


def _lacks(sourced: Sourced, at: Where) -> bool:
    """Whether something was taken out of an item, so that nothing can be said of what it does not have."""
    return any(place[: len(at)] == at for place in sourced.taken)


def _literals(sourced: Sourced, compiled: CompiledSend, at: Where) -> Iterator[Problem]:
    """Values without a template are judged at once."""
    for name, node in compiled.entry.items():
        yield from _literal(sourced, (*at, "entry", name), node, slots.FIELD_SLOTS[name])
    yield from _literal(sourced, (*at, "key"), compiled.key, slots.key)
    yield from _literal(sourced, (*at, "group"), compiled.group, slots.key)
    for name, node in (("subscriber", compiled.subscriber), ("identity", compiled.identity)):
        yield from _literal(sourced, (*at, name), node, slots.name, told=False)
    for name, node in (("deliver_at", compiled.deliver_at), ("expires_at", compiled.expires_at)):
        yield from _literal(sourced, (*at, name), node, _instant)


def _instant(value: Any) -> datetime:
    return slots.instant(value, "UTC")


def _literal(
    sourced: Sourced, at: Where, node: slots.Node, convert: Callable[[Any], Any], told: bool = True
) -> Iterator[Problem]:
    """What is wrong with a value as it stands; not `told` where it names a person. Of a list or map that an event
    fills it is known that it is one."""
    if node is None or isinstance(node, Template):
        return
    filled = has_template(node)
    try:
        convert(type(node)() if filled else node)
    except (RenderError, ValueError, OverflowError) as error:
        expected = str(error).removeprefix("expected ")
        found = (kind(node) if filled else shown(node)) if told else ""
        yield sourced.problem(at, f"{at[-1]} is not right", found, expected, _meant(at[-1], node, error))


def _meant(name: str | int, node: slots.Node, error: Exception) -> str:
    return zone_asked(node) if isinstance(error, BadZone) else _year_first(node) or _as_written(name, node)


def _as_written(name: str | int, node: slots.Node) -> str:
    """Values as other formats have them: yes and no, minutes as numbers, one of a list alone."""
    match name, node:
        case (("all_day" | "busy"), str()) if (flag := node.lower()) in FLAGS:
            return f"write {FLAGS[flag]}"
        case (("all_day" | "busy"), (0 | 1) as number):
            return "write true" if number else "write false"
        case "alerts", list() if node and all(type(one) is int for one in node):
            return f"write [{', '.join(f'{one}m' for one in node)}]"
        case (("deliver_at" | "expires_at"), str()) if re.fullmatch(r"\d+[wdhm]", node):
            return f"write {{{{ … | {'minus' if name == 'deliver_at' else 'plus'}('{node}') }}}}"
        case ("recurrence", str()):
            return recurrence.meant(node)
        case ("alerts", str()) | (("links" | "participants" | "dates"), dict()):
            return "put [ ] around it"
        case _:
            return ""


def _year_first(node: slots.Node) -> str:
    """A date that two countries read differently."""
    if (eight := re.fullmatch(r"(\d{4})(\d\d)(\d\d)", str(node))) is not None:
        return f"write {eight[1]}-{eight[2]}-{eight[3]}"
    match = re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})", node) if isinstance(node, str) else None
    if match is None:
        return ""
    one, other, year = f"{int(match[1]):02}", f"{int(match[2]):02}", match[3]
    meant = [f"{year}-{other}-{one}"] + ([f"{year}-{one}-{other}"] if one != other else [])
    return "write " + " or ".join(day for day in meant if day[5:7] <= "12")


def _sections(sourced: Sourced, send: Send, at: Where, views: Sequence[DestinationView]) -> Iterator[Problem]:
    names = sorted({view.vendor.name for view in views})
    for vendor in send.own:
        if vendor not in names:
            message = "a section for a vendor that none of these destinations has"
            yield sourced.problem((*at, vendor), message, vendor, "one of " + ", ".join(names))


def _destination(sourced: Sourced, compiled: CompiledSend, at: Where, view: DestinationView) -> Iterator[Problem]:
    send, expression = compiled.send, view.expression(compiled.send.kind)
    if expression is NOTHING:
        yield sourced.problem(
            (*at, "kind"), f"{view.name} has no subscriptions", str(send.kind), "a destination that has"
        )
        return
    if (send.cancel or send.delete) and not expression.can_delete:
        yield sourced.problem(at, f"{view.name} cannot delete", "cancel or delete", "a destination that can")
        return
    sayable = view.sayable(send.kind)
    for name in compiled.entry:
        if name not in sayable:
            hint = f"let the destination say omit: [{name}]" + (" or links: in_description" if name == "links" else "")
            message, expected = f"{view.name} cannot say {name}", _list(sayable)
            yield sourced.problem((*at, "entry", name), message, name, expected, hint)
    for name, node in compiled.own.get(view.vendor.name, {}).items():
        if name not in expression.own:
            message = f"{view.vendor.title} has no such field"
            place = (*at, view.vendor.name, name)
            yield sourced.problem(place, message, name, _list(expression.own), suggest(name, expression.own))
        else:
            convert = partial(slots.own_value, declared=expression.own[name])
            yield from _literal(sourced, (*at, view.vendor.name, name), node, convert)
    if not (send.entry or send.own):  # an end; or what says nothing, which is told as that
        return
    if sourced.whole and send.layer == BASE:
        yield from _missing(sourced, compiled, at, view)
    yield from _refused(sourced, compiled, at, view)
    yield from read_elsewhere(sourced, compiled, at, view)


def _missing(sourced: Sourced, compiled: CompiledSend, at: Where, view: DestinationView) -> Iterator[Problem]:
    expression = view.expression(compiled.send.kind)
    send = compiled.send  # as written: a template that is wrong is told as that, not as missing
    fields = send.entry.said() if send.entry else {}
    given = {*(name for name, value in fields.items() if value is not None), *view.defaults}
    if "links" in given and "links" in view.in_description:
        given.add("description")
    for name in sorted(expression.required - given - sourced.strange):
        hint = "say it in the rule or in the destination's defaults"
        yield sourced.problem((*at, "entry"), f"{view.name} needs {name}", "", f"{name}:", hint)
    somebody = send.subscriber is not None or send.identity is not None
    if expression.needs_identity and not somebody and sourced.strange.isdisjoint(("subscriber", "identity")):
        yield sourced.problem(at, f"{view.name} needs a subscriber", "", "subscriber: or identity:")


def _refused(sourced: Sourced, compiled: CompiledSend, at: Where, view: DestinationView) -> Iterator[Problem]:
    """What the vendor itself refuses of the values without a template."""
    whole = sourced.whole and compiled.send.layer == BASE and sourced.strange.isdisjoint(FIELDS)
    said, unsure = _standing(compiled, view)
    if sourced.whole and TIMES.isdisjoint(unsure | sourced.strange):
        try:
            said = _timed(said, view, whole)
        except (RenderError, OverflowError) as error:
            words = str(error) if isinstance(error, RenderError) else "start: a time is out of range"
            name, _, words = words.partition(": ")
            yield sourced.problem((*at, "entry", name), f"{name} is not right", "", words.removeprefix("expected "))
            unsure |= TIMES
    part = Certain.part(said, view, compiled.send.kind)
    literal = replace(part, unsure=frozenset(unsure), whole=True) if whole else part
    for refusal in literal.refusals():
        section, dot, name = refusal.name.partition(".")
        where = (*at, section, name) if dot else (*at, "entry", section)
        if not refusal.missing:
            yield sourced.problem(where, f"{view.name} refuses {refusal.name}", "", refusal.words)
        elif refusal.name not in view.expression(compiled.send.kind).required:
            hint = "say it in the rule or in the destination's defaults"
            yield sourced.problem(where[:-1], f"{view.name} needs {refusal.name}", "", refusal.words, hint)


def _standing(compiled: CompiledSend, view: DestinationView) -> tuple[dict[str, Any], set[str]]:
    """The values that stand there as they are, in the ledger's shape, and the names of the others."""
    vendor, expression = view.vendor.name, view.expression(compiled.send.kind)
    converts: dict[str, tuple[slots.Node, Callable[[Any], Any]]] = {
        name: (node, slots.FIELD_SLOTS[name]) for name, node in compiled.entry.items()
    }
    for name, node in compiled.own.get(vendor, {}).items():
        if name in expression.own:
            converts[f"{vendor}.{name}"] = (node, partial(slots.own_value, declared=expression.own[name]))
    said, unsure = {}, set()
    for name, (node, convert) in converts.items():
        try:
            said[name] = convert(_certain(node))
        except (RenderError, ValueError, OverflowError):
            unsure.add(name)
    sayable = view.sayable(compiled.send.kind)
    return {name: value for name, value in said.items() if "." in name or name in sayable}, unsure


def _certain(node: slots.Node) -> slots.Node:
    """The value as it stands. Raises ValueError for null too: it takes away, or a template in its place was wrong."""
    if node is None or isinstance(node, Template):
        raise ValueError("only an event knows it")
    for member in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _certain(member)
    return node


def _timed(said: Mapping[str, Any], view: DestinationView, whole: bool) -> dict[str, Any]:
    """As for an event; its failure would be every event's."""
    content = slots.timed(said, view.defaults)
    all_day = content.get("all_day", view.defaults.get("all_day"))
    if whole and len(content.get("start") or "") == 10 and not all_day:
        raise RenderError("format", "start: a date needs all_day: true")
    return content


def _list(names: frozenset[str] | Mapping[str, str]) -> str:
    return "one of " + ", ".join(sorted(names))
