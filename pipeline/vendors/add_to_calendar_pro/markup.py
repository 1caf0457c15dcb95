"""The HTML of a description: plain text becomes paragraphs; HTML that is given is checked, never changed."""

from __future__ import annotations

import re
from html import escape

TAGS = ("p", "strong", "em", "u", "h1", "h2", "h3", "h4", "ul", "ol", "li", "a")
"""Add an event: "allowing for <p>, <strong>, <em>, <u>, <h1>, <h2>, <h3>, <h4>, <ul>, <ol>, <li>, <a>"."""

_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?:\s+[a-z]+="[^"<>]*")*)\s*>', re.ASCII)
_LINK = re.compile(r'\s+(?:href="(?:https?:|mailto:|tel:)[^"<>]*"|(?:target|rel|title)="[^"<>]*")', re.ASCII)


def paragraphs(text: str) -> str:
    """One paragraph a line, as there is no <br>; an empty line is an empty one, so that no break is lost."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "".join(f"<p>{escape(line, quote=False)}</p>" for line in lines)


def problems(html: str) -> list[str]:
    """Whether only the documented tags stand in it, closed in order; attributes only of links."""
    open_tags: list[str] = []
    for closing, name, attributes in _TAG.findall(html):
        if name not in TAGS:
            return [f"description_html: the tags are {', '.join(TAGS)}"]
        if attributes and (closing or name != "a" or _LINK.sub("", attributes).strip()):
            return ["description_html: only a link has attributes: href (http, https, mailto, tel), target, rel, title"]
        if not closing:
            open_tags.append(name)
        elif not open_tags or open_tags.pop() != name:
            return ["description_html: tags are closed in the order in which they were opened"]
    if open_tags or re.search("[<>]", _TAG.sub("", html)):
        return ["description_html: a tag is not closed, or < and > are not written as &lt; and &gt;"]
    return []
