"""Take the pictures of the README from sample data, in a headless browser: `make pictures`."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from optimizer.assess import html_page
from optimizer.report.pages import run_page, target_page
from playwright.sync_api import Page, sync_playwright

from tests.helpers import report_samples as samples
from tests.helpers.asking import asking, three
from tests.helpers.assessment_sample import sample
from tests.helpers.page_server import page_server

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH, HEIGHT = 1000, 660


def take(page: Page, images: Path) -> list[Path]:
    """Take all pictures; return where they are."""
    return [*_report(page, images), _approval(page, images)]


def _report(page: Page, images: Path) -> Iterator[Path]:
    documents = samples.documents()
    contents = {
        "assessment": html_page(sample()),
        "report": run_page(samples.report()),
        "function": target_page(documents["functions/orders"]),
    }
    with TemporaryDirectory() as folder:
        for name, content in contents.items():
            path = Path(folder) / f"{name}.html"
            path.write_text(content)
            page.goto(path.as_uri())
            if name == "function":
                # The tables above are those of the run's page; only the charts are new here.
                page.locator("h2").nth(1).evaluate("heading => heading.scrollIntoView()")
            yield _shot(page, images / f"{name}.png")


def _approval(page: Page, images: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch, asking(patch) as office, page_server(office):
        office.ask(*three(office))
        page.goto(office.link())
        return _shot(page, images / "approval.png")


def _shot(page: Page, path: Path) -> Path:
    page.screenshot(path=path, animations="disabled")
    return path


@contextmanager
def browser_page(chromium: str) -> Iterator[Page]:
    """Yield a page of a headless browser, in light colours."""
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root and inside containers, and the pages are our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", locale="en-GB", timezone_id="UTC"
        )
        yield context.new_page()
        browser.close()


def main() -> int:
    """Take the pictures; return 1 without a browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("chromium is not installed: apt-get install chromium\n")
        return 1
    IMAGES.mkdir(exist_ok=True)
    with browser_page(chromium) as page:
        for path in take(page, IMAGES):
            sys.stdout.write(f"{path.relative_to(IMAGES.parents[1])}: {path.stat().st_size / 1000:.0f} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
