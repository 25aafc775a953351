"""A headless Chromium, Debian's; where there is none the browser's tests are skipped, and say so."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WATCH = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
"""


@pytest.fixture(scope="session")
def chromium():
    """A browser; it lives as long as the tests of one worker."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium here (apt-get install chromium): pages are not looked at in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Opened:
    """A page in the browser, and what it did."""

    def __init__(self, page, tmp_path):
        self.page, self.tmp_path = page, tmp_path
        self.requests, self.said = [], []
        page.add_init_script(WATCH)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def show(self, text, name="page"):
        """Write a page to a file and open it."""
        path = self.tmp_path / f"{name}.html"
        path.write_text(text, encoding="utf-8")
        self.page.goto(path.as_uri())
        self.keep(name)
        return self.page

    def keep(self, name):
        """A picture for people, where KXRECON_SCREENSHOTS names a folder."""
        folder = os.environ.get("KXRECON_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


@pytest.fixture
def opened(chromium, tmp_path):
    """A context manager: a fresh page in the light or dark, on a desk or in a pocket."""

    @contextmanager
    def opened(*, dark=False, width=1280):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        context.set_default_timeout(20_000)
        try:
            yield Opened(context.new_page(), tmp_path)
        finally:
            context.close()

    return opened
