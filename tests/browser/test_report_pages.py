"""Test the report as people see it: on a phone and on a desktop, in light and dark, and with the keyboard alone."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from optimizer.assess import html_page
from optimizer.report.pages import review_page, run_page, target_page
from optimizer.report.review import ReviewWeek, review
from optimizer.report.savings import VerifiedSavings

from tests.helpers import report_samples as samples
from tests.helpers.assessment_sample import sample


def review_sample() -> str:
    since = samples.NOW - timedelta(days=91)
    weeks = [ReviewWeek(f"2026-W{34 + n}", 40 + n // 4, 1.1e6 + 31_000 * n, 210 + 3 * n) for n in range(13)]
    runs = [{"status": "succeeded"}] * 118 + [{"status": "failed"}] * 2
    proved = VerifiedSavings((), 4, -61.2, -48.9, 91)
    return review_page(review("review-2026-11", since, samples.NOW, weeks, runs, samples.CHANGES, proved))


def pages() -> dict[str, tuple[str, str]]:
    """Return heading and content of each page, by its place."""
    documents = samples.documents()
    found = {
        name: (f"{made['kind'].capitalize()} {made['name']}", target_page(made)) for name, made in documents.items()
    }
    found["index"] = ("What the optimizer did", run_page(samples.report()))
    found["assessment"] = ("What the optimizer could do here", html_page(sample()))
    found["review"] = ("The last quarter, and the next", review_sample())
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    for name, (_, content) in pages().items():
        path = folder / f"{name}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return folder


SHOWN = ["index", "review", "assessment", "functions/orders", "databases/shop", "caches/sessions"]


@pytest.mark.parametrize("name", SHOWN)
def test_page_is_accessible(window: Any, report: Path, name: str) -> None:
    window.page.goto((report / f"{name}.html").as_uri())
    window.comes_to(pages()[name][0])
    window.check(f"report-{name.replace('/', '-')}")


def test_pages_are_linked_for_the_keyboard(window: Any, report: Path) -> None:
    window.page.goto((report / "index.html").as_uri())
    window.page.get_by_role("link", name="orders", exact=True).first.focus()
    window.page.keyboard.press("Enter")
    window.comes_to("Function orders")
    window.page.get_by_role("link", name="All resources of this run").focus()
    window.page.keyboard.press("Enter")
    window.comes_to("What the optimizer did")
