"""An assessment as a page: a single file with nothing external, in the look of the report. Pure."""

from jinja2 import ChoiceLoader, PackageLoader

from optimizer.assess.model import Assessment
from optimizer.assess.totals import own_usd_month, totals_of
from optimizer.report import bars, page_environment

# Nobody scrolls through more; the JSON and the CSV have the rest.
_MOST = 500
_LARGEST = 12


def html_page(assessment: Assessment) -> str:
    """Return the page."""
    totals = totals_of(assessment)
    loaders = [PackageLoader(f"optimizer.{room}", "templates") for room in ("assess", "report")]
    environment = page_environment().overlay(loader=ChoiceLoader(loaders))
    rows = sorted(
        assessment.functions,
        key=lambda row: (-row.saved_usd_month.estimate, -(row.bill_usd_month or 0.0), row.name),
    )
    shown = list(totals.savers[:_LARGEST])[::-1]
    picture = (
        bars(
            "Potential savings in USD a month: the largest",
            [row.name for row in shown],
            {"savings, USD a month": [row.saved_usd_month.estimate for row in shown]},
        )
        if shown
        else None
    )
    return environment.get_template("assessment.html").render(
        found=assessment, totals=totals, rows=rows, picture=picture, most=_MOST, own_usd=own_usd_month(assessment)
    )
