"""The page of `calends explain --html`: what became of one event, to be looked at by others. Everything is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import minijinja

from pipeline.operate.explain import Explained, RuleStory

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{ event }}: calends explain</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
  h2 { font-size: 1.1rem; margin-bottom: 0 } .no { color: #777 } .wrong { color: #b00020 }
  pre { background: #f5f5f5; padding: 1rem; overflow-x: auto } dt { font-weight: 600 } dd { margin: 0 0 .3rem 1rem }
</style>
<h1>{{ event }}</h1>
{% for story in stories %}
<section{% if not story.matched %} class="no"{% endif %}>
  <h2>{{ "✔" if story.matched else "·" }} {{ story.rule }}</h2>
  <p>{{ "" if story.matched else "no: " }}{{ story.why }}</p>
  {% for failure in story.failures %}<p class="wrong">fails at {{ failure }}</p>{% endfor %}
  {% for link in story.links %}<p>link {{ link }}</p>{% endfor %}
  {% for group in story.groups %}<p>group {{ group }}</p>{% endfor %}
  {% for change in story.changes %}
  <h3>{{ change.kind }} {{ change.key }} at {{ change.destination }}, layer {{ change.layer }}</h3>
  <dl>{% for name in change.content %}<dt>{{ name }}</dt><dd>{{ change.content[name] }}</dd>{% endfor %}</dl>
  {% for words in change.cannot_say %}<p class="wrong">cannot say: {{ words }}</p>{% endfor %}
  {% for words in change.notes %}<p>note: {{ words }}</p>{% endfor %}
  {% if change.text %}<pre>{{ change.text }}</pre>{% endif %}
  {% endfor %}
</section>
{% endfor %}
</html>
"""


def page(event: str, stories: Sequence[RuleStory]) -> str:
    """One file without scripts and without anything from elsewhere; `event` is its heading."""
    environment = minijinja.Environment(templates={"page.html": _PAGE})
    shown = [asdict(story) | {"changes": [*map(_change, story.changes)]} for story in stories]
    return str(environment.render_template("page.html", event=event, stories=shown))


def _change(change: Explained) -> dict[str, object]:
    return asdict(change) | {"text": change.request.text() if change.request else ""}
