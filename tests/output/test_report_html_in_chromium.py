"""The HTML report as a reader meets it, in Chromium: three widths, light and dark, mouse and keyboard, axe-core."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from netdoctor.diagnosis.traced_cause import traced_or_reason
from netdoctor.output.report_html import render
from netdoctor.output.svg import COLOURS
from tests.conftest import REQUIRED
from tests.output.reports import HOSTILE, RECORDINGS, hostile, looked_at, report_of
from tests.output.test_report_html import hostile_path
from tests.twin.network import real
from tests.worlds import catalogue

pytestmark = pytest.mark.thorough

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")  # of the machine; none is downloaded
WIDTHS = (360, 800, 1400)
SCHEMES = ("light", "dark")
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
VIOLATIONS = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .map(found => [found.id, ...found.nodes.map(node => node.html.slice(0, 120))])"""
FOCUSED = """() => {
    const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
    return {tag: element.tagName, kind: element.className, outline: style.outlineStyle,
            width: parseFloat(style.outlineWidth),
            seen: box.width > 0 && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight};
}"""
MOST_STOPS = 60
FEW = ("healthy", "note-d-reload-and-bridge")  # looked at among the fast tests
LOOKED_AT = [pytest.param(name, marks=() if name in FEW else pytest.mark.thorough) for name in RECORDINGS]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if not program:
        reason = "no Chromium is installed: scripts/programs"
        if REQUIRED:
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program)
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Opens a page of this text; what it asks for, and whatever it says on the console, is an error."""
    told: list[str] = []

    def open_page(text: str, width: int, scheme: Any) -> Page:
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: told.append(request.url) if request.url != file.as_uri() else None)
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in browser.contexts:
        context.close()
    assert told == []


def recorded(name: str) -> str:
    look = looked_at(name)
    return render(look.report(), catalogue(), traced_or_reason(look, catalogue()))


def fits(page: Page) -> bool:
    """Whether the page is no wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", LOOKED_AT)
def test_every_recording_at_three_widths(opened: Any, name: str, scheme: str) -> None:
    text = recorded(name)
    for width in WIDTHS:
        page = opened(text, width, scheme)
        paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert paper == rgb(COLOURS["paper"][SCHEMES.index(scheme)])
        assert fits(page)
        parts = page.locator("details")
        assert parts.count() >= 2
        for number in range(parts.count()):
            parts.nth(number).locator("summary").click()
            assert parts.nth(number).locator(".inside").is_visible()
        assert fits(page)
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == []
        picture = folder_for_pictures()
        if picture:
            page.screenshot(path=picture / f"{name}-{width}-{scheme}.png", full_page=True)


def folder_for_pictures() -> Path | None:
    """Where somebody wants to look at the pages."""
    wanted = os.environ.get("NETDOCTOR_TEST_PICTURES")
    return Path(wanted) if wanted else None


def rgb(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgb({red}, {green}, {blue})"


def test_drawings_take_the_width_of_the_page_and_are_scrolled_where_it_is_narrow(opened: Any) -> None:
    text = render(report_of("ip-forward-zero"), catalogue(), hostile_path("x"))
    for width in (360, 699, 700, 800, 1400):
        page: Page = opened(text, width, "light")
        wide = page.evaluate("[...document.querySelectorAll('.picture')].map(p => p.scrollWidth > p.clientWidth)")
        assert wide == [width < 700] * 3, width
        hints = page.get_by_text("Scroll the drawing sideways")
        assert [hints.nth(number).is_visible() for number in range(3)] == wide


@pytest.mark.parametrize("width", WIDTHS)
def test_everything_is_reached_and_opened_by_keys(opened: Any, width: int) -> None:
    page: Page = opened(recorded("note-d-reload-and-bridge"), width, "light")
    wanted = sum(page.locator(each).count() for each in ("summary", ".picture", "a[href]"))
    stops: list[dict[str, Any]] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop["tag"] == "BODY":
            break
        assert (stop["outline"], stop["seen"]) == ("solid", True), stop
        assert stop["width"] >= 2
        stops.append(stop)
        if stop["tag"] == "SUMMARY":
            page.keyboard.press("Enter" if len(stops) % 2 else "Space")
            assert page.evaluate("document.activeElement.parentElement.open") is True
    words = [stop for stop in stops if stop["kind"] == "words"]  # the paths in words, once they are open
    assert len(stops) == wanted + len(words)
    assert stops[0]["kind"] == "skip"
    assert len(words) == page.locator("pre.words").count()


def test_the_first_stop_leads_to_the_report(opened: Any) -> None:
    page: Page = opened(recorded("healthy"), 800, "light")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


@real
def test_what_a_screen_reader_is_told(opened: Any) -> None:
    page: Page = opened(recorded("nft-table-drops-postgres"), 800, "light")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title() == "FAULTY: node node-1 - netdoctor"
    assert [page.get_by_role(role).count() for role in ("banner", "main", "contentinfo")] == [1, 1, 1]
    assert page.get_by_role("heading", level=1).inner_text().split() == ["FAULTY", "recording", "of", "node", "node-1"]
    named = [page.locator("svg").nth(number).get_attribute("aria-label") or "" for number in (1, 2)]
    assert "port 5432/tcp: STOPPED at inet corp guard, handle 2" in named[0]
    assert re.search(r": ARRIVED at 10\.244\.0\.\d+:5432", named[1])
    assert page.get_by_role("img", name="failed").count() >= 1
    assert page.get_by_role("region", name="The path of a failing flow").count() == 1


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_hostile_values_change_nothing(opened: Any, kind: str) -> None:
    text = render(hostile(HOSTILE[kind]), catalogue(), hostile_path(HOSTILE[kind]))
    for width in WIDTHS:
        page = opened(text, width, "dark")
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert fits(page)
        assert page.evaluate("document.scripts.length + document.images.length") == 0


def test_a_script_would_not_run(opened: Any, browser: Browser, tmp_path: Path) -> None:
    """The policy holds even if something had slipped through."""
    text = render(report_of("healthy"), catalogue(), "x").replace(
        "<main ", "<script>document.title='run'</script><main "
    )
    file = tmp_path / "slipped.html"
    file.write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page.title().startswith("HEALTHY")
