"""Reports in a browser: light and dark scheme, small screens, print, keyboard, no network access."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_examples import build_comparison, build_interactions, write_json

from mtl_core.reporting.write import write_report

SIZES = {"desk": (1280, 900), "narrow": (800, 900), "telephone": (360, 740)}
REPORTS = ["tiny", "every-kind", "many", "comparison"]
TASKS = ["food", "service", "price"]


@pytest.fixture(scope="module")
def reports(
    tiny_run: Path, every_kind_run: Path, many_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("comparison")
    write_json(folder, "comparison.json", build_comparison(TASKS))
    write_json(folder / "runs" / "multi-task-seed1", "interactions.json", build_interactions(TASKS))
    report_dirs = {"tiny": tiny_run, "every-kind": every_kind_run, "many": many_run, "comparison": folder}
    write_report(folder)
    return {name: path / "report.html" for name, path in report_dirs.items()}


@pytest.fixture
def open_page(browser: Any, reports: dict[str, Path]) -> Iterator[Any]:
    contexts = []

    def load_page(name: str, size: str = "desk", scheme: str = "light") -> Any:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=True
        )
        contexts.append(context)
        page = context.new_page()
        page.logged_messages, page.requested_urls = [], []
        page.on("console", lambda message: page.logged_messages.append(message.text))
        page.on("pageerror", lambda error: page.logged_messages.append(str(error)))
        page.on("request", lambda request: page.requested_urls.append(request.url))
        page.goto(reports[name].as_uri(), wait_until="load")
        return page

    yield load_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", REPORTS)
def test_page_fits_and_requests_nothing(name: str, open_page: Any, reports: dict[str, Path]) -> None:
    page = open_page(name)
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width
        width_script = "[...document.querySelectorAll('.drawing')].map(one => one.getBoundingClientRect().width)"
        drawing_widths = page.evaluate(width_script)
        assert all(40 < drawing_width <= width for drawing_width in drawing_widths), width
    assert page.requested_urls == [reports[name].as_uri()]
    assert page.logged_messages == []


def test_page_loads_within_a_second(open_page: Any) -> None:
    """Take the minimum of three measurements, because other load on the machine adds time."""
    load_times = [
        open_page("every-kind").evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") for _ in range(3)
    ]
    assert 0 < min(load_times) < 1000


def _compute_luminance(color: str) -> float:
    channels = [float(channel_text) for channel_text in color.partition("(")[2].rstrip(")").split(",")[:3]]
    linear = [c / 12.92 if (c := channel / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for channel in channels]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _compute_contrast(first_color: str, second_color: str) -> float:
    low, high = sorted((_compute_luminance(first_color), _compute_luminance(second_color)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["tiny", "comparison"])
def test_text_contrast_in_light_and_dark_scheme(name: str, open_page: Any) -> None:
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5 to 1, also in drawings."""
    luminances = {}
    page = open_page(name)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        luminances[scheme] = _compute_luminance(background)
        colors = page.evaluate(
            "[...document.querySelectorAll('p, td, th, a, figcaption, dt, summary')]"
            ".map(one => getComputedStyle(one).color)"
            ".concat([...document.querySelectorAll('svg text')].map(one => getComputedStyle(one).fill))"
        )
        assert len(colors) > 100
        assert min(_compute_contrast(color, background) for color in set(colors)) >= 4.5
        lines = page.evaluate(
            "[...document.querySelectorAll('svg path, svg use')].map(one => getComputedStyle(one).stroke)"
            ".filter(color => color.startsWith('rgb('))"
        )
        assert max(_compute_contrast(color, background) for color in set(lines)) >= 4.5
    assert luminances["light"] > 0.9
    assert luminances["dark"] < 0.05


def test_page_is_navigable_by_keyboard(open_page: Any) -> None:
    page = open_page("tiny")
    focus_order = []
    for _ in range(6):
        page.keyboard.press("Tab")
        focus_order.append(
            page.evaluate("[document.activeElement.tagName, document.activeElement.getAttribute('href')]")
        )
    assert focus_order[0] == ["A", "#content"]
    assert focus_order[1] == ["A", "#summary"]
    assert [tag for tag, _ in focus_order] == ["A"] * 6
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == focus_order[4][1]
    assert page.evaluate(
        "getComputedStyle(document.activeElement).outlineStyle !== 'none' || document.activeElement === document.body"
    )


def test_details_open_by_keyboard(open_page: Any) -> None:
    page = open_page("tiny")
    page.locator("#settings summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#settings pre").is_visible()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("name", ["tiny", "comparison"])
def test_page_prints(name: str, open_page: Any) -> None:
    page = open_page(name, scheme="dark")
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 1 <= pdf.count(b"/Type /Page\n") <= 15
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 688, "height": 1000})
    assert _compute_luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) > 0.9
    assert not page.locator("nav").is_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('main table')].filter(one => one.offsetParent)"
        ".every(one => one.getBoundingClientRect().right <= document.documentElement.clientWidth + 1)"
    )
    if name == "tiny":
        assert page.locator("#settings pre").is_visible()


def test_screenshots_differ(open_page: Any, tmp_path: Path) -> None:
    """Screenshots of the light scheme, the dark scheme and a small screen differ and are not blank."""
    screenshots = set()
    for size, scheme in (("desk", "light"), ("desk", "dark"), ("telephone", "light")):
        screenshot = open_page("every-kind", size, scheme).screenshot(path=tmp_path / f"{size}-{scheme}.png")
        assert len(screenshot) > 10_000
        screenshots.add(screenshot)
    assert len(screenshots) == 3


def test_table_of_many_tasks_is_sorted_and_searched(open_page: Any) -> None:
    page = open_page("many")
    names = "[...document.querySelectorAll('.searchable tbody tr:not([hidden]) th')].map(one => one.textContent.trim())"
    cells = "[...document.querySelectorAll('.searchable tbody tr td:nth-of-type(3)')]"
    values = f"{cells}.map(one => parseFloat(one.textContent))"
    assert page.logged_messages == []
    assert len(page.evaluate(names)) == 60
    heading = page.locator(".searchable thead th:nth-of-type(4)")
    assert heading.inner_text() == "accuracy"
    for direction, is_reversed in (("descending", True), ("ascending", False)):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == direction
        assert page.evaluate(values) == sorted(page.evaluate(values), reverse=is_reversed)
    page.fill(".searchable input", "T1")
    assert set(page.evaluate(names)) == {"t1", *(f"t{index}" for index in range(10, 20))}
    assert page.locator(".searchable output").inner_text() == "11 of 60 rows"
