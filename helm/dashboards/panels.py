"""What the three dashboards are made of: queries, panels and the frame around them.

Every panel has a unit, a description, and a link to the runbook that says what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as grafana
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = grafana.DataSourceRef(type_val="prometheus", uid="${datasource}")
DESTINATION = 'destination=~"$destination"'
ACCOUNT = 'account=~"$account"'
INSTANCE = 'instance=~"$instance"'
RUNBOOKS = "docs/runbooks"
"""Where the runbooks are, unless the chart says where they are published."""

Query = prometheus.Dataquery
Panel = Any
"""A builder of the SDK's: each kind of panel has a class of its own, and they share no other."""


def query(expr: str, legend: str, *, instant: bool = False) -> Query:
    made = Query().expr(expr).legend_format(legend).datasource(SOURCE)
    return made.instant() if instant else made.range()


def quantiles(metric: str, which: str, by: str, legend: str, *shares: float) -> list[Query]:
    """A line for each share of what a histogram counted, e.g. 0.5 and 0.99."""
    rates = f"sum by ({by}) (rate({metric}_bucket{{{which}}}[$__rate_interval]))"
    return [query(f"histogram_quantile({share:g}, {rates})", f"{legend} p{share * 100:g}".strip()) for share in shares]


def lines(title: str, unit: str, runbook: str, description: str, *queries: Query, width: int = 12) -> Panel:
    return (
        _panel(timeseries.Panel(), title, unit, runbook, description, queries, width, 8)
        .line_width(1)
        .fill_opacity(0)
        .min(0)
        .show_points(shapes.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
    )


def stacked(*args: Any, **kwargs: Any) -> Panel:
    mode = common.StackingConfig().mode(shapes.StackingMode.NORMAL)
    return lines(*args, **kwargs).stacking(mode).fill_opacity(40)


def figure(title: str, unit: str, runbook: str, description: str, *queries: Query, width: int = 6) -> Panel:
    """The newest value, large."""
    return (
        _panel(stat.Panel(), title, unit, runbook, description, queries, width, 5)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .graph_mode(shapes.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def bars(title: str, unit: str, runbook: str, description: str, *queries: Query, width: int = 12) -> Panel:
    """The newest value of each series, as a bar from 0 to 1."""
    return (
        _panel(bargauge.Panel(), title, unit, runbook, description, queries, width, 8)
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .min(0)
        .max(1)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def rows(title: str, unit: str, runbook: str, description: str, asked: Query, width: int = 12) -> Panel:
    """A row for each series, with its labels. `asked` is an instant query."""
    hidden = dict.fromkeys(("Time", "__name__", "alertstate", "job"), True)
    tidy = grafana.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden})
    asked.format(PromQueryFormat.TABLE)
    return _panel(table.Panel(), title, unit, runbook, description, [asked], width, 8).with_transformation(tidy)


def spread(title: str, unit: str, runbook: str, description: str, metric: str, which: str, width: int = 12) -> Panel:
    """How often each bucket of a histogram was hit, over time."""
    counted = query(f"sum by (le) (increase({metric}_bucket{{{which}}}[$__rate_interval]))", "{{le}}")
    return (
        _panel(heatmap.Panel(), title, unit, runbook, description, [counted.format(PromQueryFormat.HEATMAP)], width, 8)
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Oranges").steps(32))
        .y_axis(heatmap.YAxisConfig().unit(unit))
    )


def bad_above(warning: float, bad: float) -> build.ThresholdsConfig:
    return _steps((None, "green"), (warning, "orange"), (bad, "red"))


def bad_below(bad: float, warning: float) -> build.ThresholdsConfig:
    return _steps((None, "red"), (bad, "orange"), (warning, "green"))


@dataclass(frozen=True, slots=True)
class Section:
    """A row and what stands below it."""

    title: str
    panels: tuple[Panel, ...]


def section(title: str, *panels: Panel) -> Section:
    return Section(title, panels)


def board(name: str, description: str, choices: Sequence[build.QueryVariable], *sections: Section) -> grafana.Dashboard:
    """A whole dashboard. The `choices` follow the data source."""
    made = _frame(name, description)
    for choice in choices:
        made.with_variable(choice)
    for one in sections:
        made.with_row(build.Row(one.title))
        for panel in one.panels:
            made.with_panel(panel)
    return _numbered(made)


def choice(name: str, label: str, metric: str) -> build.QueryVariable:
    """A variable whose values are those of a metric's label, all of them unless some are chosen."""
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values({metric}, {name})")
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(grafana.VariableOption(text="All", value="$__all"))
        .refresh(grafana.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(grafana.VariableSort.ALPHABETICAL_ASC)
    )


def _frame(name: str, description: str) -> build.Dashboard:
    """What all dashboards have."""
    return (
        build.Dashboard(f"Calends / {name}")
        .uid(f"calends-{name}")
        .description(description)
        .tags(["calends"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(grafana.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(_others())
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(build.ConstantVariable("runbooks").label("Runbooks").value(RUNBOOKS))
        .annotation(_deploys())
    )


def _numbered(made: build.Dashboard) -> grafana.Dashboard:
    """The SDK leaves the panels' ids out; links to a panel need them."""
    built = made.build()
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number
    return built


def _panel(
    made: Panel, title: str, unit: str, runbook: str, description: str, asked: Sequence[Query], width: int, height: int
) -> Panel:
    made.title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(height)
    made.links([_runbook(runbook)])
    for ref, one in zip("ABCDEF", asked, strict=False):
        made.with_target(one.ref_id(ref))
    return made


def _runbook(name: str) -> build.DashboardLink:
    """`name` is an alert's, so a runbook's."""
    link = build.DashboardLink(f"Runbook: {name}").type(grafana.DashboardLinkType.LINK)
    return link.url(f"${{runbooks}}/{name}.md#what-to-do").target_blank(True)


def _others() -> build.DashboardLink:
    link = build.DashboardLink("Calends").type(grafana.DashboardLinkType.DASHBOARDS)
    return link.tags(["calends"]).as_dropdown(True).include_vars(True).keep_time(True)


def _deploys() -> build.AnnotationQuery:
    seen = "count by (version) (calends_build_info) unless count by (version) (calends_build_info offset 5m)"
    note = build.AnnotationQuery().name("New version").datasource(SOURCE).enable(True)
    return note.icon_color("blue").expr(seen)


def _legend() -> common.VizLegendOptions:
    made = common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.TABLE).show_legend(True)
    return made.placement(shapes.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])


def _steps(*steps: tuple[float | None, str]) -> build.ThresholdsConfig:
    made = [grafana.Threshold(value=value, color=color) for value, color in steps]
    return build.ThresholdsConfig().mode(grafana.ThresholdsMode.ABSOLUTE).steps(made)
