"""`python -m pipeline.telemetry.reference`: the page `docs/metrics.md`, of the metrics themselves."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from pipeline.telemetry.metrics import Metrics

HEAD = """\
# Metrics

At `/metrics` of the admin port, in Prometheus' format. The values of labels come from the settings (`destination`,
`vendor`, `account`, `topic`, `rule`) or from closed sets in the code; none is ever taken from an event. Names end in
their unit; a counter ends in `_total`; a gauge in seconds with a *start* or an *end* in its name is a Unix time.

Besides there are the `process_*` metrics that every client library of Prometheus has: memory, CPU, open files, start.

What reads them: [dashboards](dashboards.md), [recording rules and alerts](../helm/calends/files/alerts.yaml); each
alert has its page under [runbooks](runbooks). This page is made by `make docs`.
"""


def page() -> str:
    return "\n".join([HEAD, *_table("Counters", "counter"), *_table("Gauges", "gauge"), *_histograms()])


def all_metrics() -> dict[str, MetricWrapperBase]:
    """By the name that a query uses; a histogram's without `_bucket`, `_sum` and `_count`."""
    found = (metric for metric in vars(Metrics()).values() if isinstance(metric, MetricWrapperBase))
    return {_name(metric): metric for metric in found}


def _name(metric: MetricWrapperBase) -> str:
    (family,) = metric.describe()
    return f"{family.name}_total" if family.type == "counter" else family.name


def _table(title: str, kind: str) -> Iterator[str]:
    yield from (f"## {title}", "", "| metric | labels | what it says |", "|---|---|---|")
    for name, metric in sorted(all_metrics().items()):
        (family,) = metric.describe()
        if family.type == kind:
            yield f"| `{name}` | {_labels(metric)} | {family.documentation} |"
    yield ""


def _histograms() -> Iterator[str]:
    yield from ("## Histograms", "", "| metric | labels | what it says | buckets |", "|---|---|---|---|")
    for name, metric in sorted(all_metrics().items()):
        if isinstance(metric, Histogram):
            (family,) = metric.describe()
            bounds = ", ".join(f"{bound:g}" for bound in metric._upper_bounds[:-1])  # no other way to ask for them
            yield f"| `{name}` | {_labels(metric)} | {family.documentation} | {bounds} |"
    yield ""


def _labels(metric: MetricWrapperBase) -> str:
    return ", ".join(f"`{label}`" for label in metric._labelnames)  # nor for these


if __name__ == "__main__":
    print(page(), end="")
