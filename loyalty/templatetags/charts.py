"""``{% chart some_chart %}``: an accessible SVG with its legend and its table."""

from typing import Any

from django import template

from loyalty.charts import Chart
from loyalty.interval_chart import IntervalChart

register = template.Library()


@register.inclusion_tag("loyalty/chart.html")
def chart(chart: Chart) -> dict[str, Any]:
    """The chart as a figure."""
    return {"chart": chart}


@register.inclusion_tag("loyalty/interval_chart.html")
def interval_chart(chart: IntervalChart) -> dict[str, Any]:
    """Values with their intervals as a figure."""
    return {"chart": chart}
