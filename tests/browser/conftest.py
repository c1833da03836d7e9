"""Provide a real browser and the folder for its pictures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

SCREENSHOTS = Path(__file__).parents[2] / ".artifacts" / "screenshots"
WINDOWS: dict[str, dict[str, Any]] = {
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}


@dataclass(slots=True)
class Window:
    """A page in a window of a size, with everything that went wrong in it."""

    page: Page
    name: str
    errors: list[str]
    asked_for: list[str]

    def check(self, picture: str) -> None:
        """Take a picture in light and dark, and assert that the page is faultless.

        No accessibility error in either, nothing refused by the browser, nothing requested from elsewhere, nothing
        wider than the window.
        """
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=SCREENSHOTS / f"{picture}-{self.name}-{scheme}.png", full_page=True)
            found = Axe().run(self.page)
            assert found.violations_count == 0, found.generate_report()
        assert self.errors == []
        host = self.page.url.split("/")[2]
        assert {url.split("/")[2] for url in self.asked_for} == {host}
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.page.evaluate(wide) == 0

    def comes_to(self, heading: str) -> None:
        """Wait for the page with this title."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)


@pytest.fixture(scope="session")
def chromium(program: Callable[[str], str]) -> Iterator[Browser]:
    """Provide Debian's chromium; without it these tests are skipped, and fail in CI."""
    path = program("chromium")
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root and inside containers, and the pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, name: str) -> Iterator[Window]:
    """Yield a window of this size."""
    context = browser.new_context(**WINDOWS[name], locale="en-GB")
    page = context.new_page()
    found = Window(page, name, [], [])
    page.on("console", lambda said: found.errors.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("request", lambda made: found.asked_for.append(made.url))
    yield found
    context.close()


@pytest.fixture(params=WINDOWS)
def window(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Window]:
    """Provide a window, once of a phone and once of a desktop."""
    with opened(chromium, request.param) as found:
        yield found


@pytest.fixture
def windows(chromium: Browser) -> Iterator[dict[str, Window]]:
    """Provide one window of each size."""
    with opened(chromium, "phone") as phone, opened(chromium, "desktop") as desktop:
        yield {"phone": phone, "desktop": desktop}
