"""The page in a browser: content, keyboard, light and dark scheme, requested URLs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mtl_core.serving.limits import Limits
from mtl_core.serving.run import listening, load_app, make_server

EVIL = '<img src=x onerror="document.title=1"> Quiet <b>rooms</b> .'
Served = Callable[..., AbstractContextManager[tuple[int, Any]]]


@pytest.fixture(scope="module")
def url(notes_run: Path) -> Iterator[str]:
    """The URL of a running server."""
    app = load_app(notes_run, Limits(max_text=4000))
    with listening("127.0.0.1", 0) as place:
        place.listen(100)
        server = make_server(app)
        thread = threading.Thread(target=lambda: server.run(sockets=[place]))
        thread.start()
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def open_page(browser: Any, url: str) -> Iterator[Any]:
    contexts = []

    def open_(path: str = "/", width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(f"{url}{path}", wait_until="load")
        return page

    yield open_
    for context in contexts:
        context.close()


def test_an_example_is_a_click_away(open_page: Any, url: str) -> None:
    page = open_page()
    assert page.locator("h1").inner_text() == "notes"
    assert page.locator(".notice").inner_text() == "a <small> sample"
    example = page.locator("[data-example]").first
    example.click()
    page.wait_for_selector(".task")
    assert page.locator("#text").input_value() == example.inner_text()
    assert page.locator(".task h3 .name").all_inner_texts() == ["place", "stars", "tags", "nights", "pos"]
    assert page.locator(".task").nth(0).locator(".bars li").count() == 3
    assert page.locator(".task").nth(0).locator(".confidence").inner_text().startswith("confidence ")
    nights = page.locator(".task").nth(3)
    assert nights.locator(".attention .text").inner_text() == example.inner_text()
    assert nights.locator(".note").inner_text().startswith("Highest attention: \u201c")
    assert page.locator(".task").nth(4).locator(".tagged").count() > 3
    assert page.said == []
    assert {one.removeprefix(url) for one in page.asked} <= {
        "/",
        "/static/style.css",
        "/static/home.js",
        "/predict",
        "data:,",
    }


def test_everything_goes_by_keyboard(open_page: Any) -> None:
    page = open_page()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "text":
            break
    page.keyboard.type("Clean and quiet .")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Predict"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector(".task")
    page.locator("#text").fill("Dear and loud .")
    page.locator("#text").press("Control+Enter")
    page.locator(".attention .text", has_text="Dear and loud .").wait_for()
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#limits").is_visible()
    assert page.said == []


def test_what_people_write_stays_text(open_page: Any) -> None:
    page = open_page()
    page.locator("#text").fill(EVIL)
    page.locator("#text").press("Control+Enter")
    page.wait_for_selector(".task")
    assert page.locator(".attention .text").inner_text() == EVIL
    assert page.locator("#prediction img, #prediction b").count() == 0
    assert page.title() == "notes"
    assert page.said == []


def test_a_mistake_is_said(open_page: Any) -> None:
    page = open_page()
    for text, said in (("   ", "found an empty text, expected at least one word."), ("y" * 4001, "at most 4,000.")):
        page.locator("#text").fill(text)
        page.locator("#text").press("Control+Enter")
        page.get_by_role("alert").filter(has_text=said).wait_for()


@pytest.mark.parametrize("path", ["/", "/docs", "/demo"])
def test_pages_fit_and_ask_nobody_else(path: str, open_page: Any, url: str) -> None:
    grounds = set()
    for width, scheme in ((1280, "light"), (360, "dark")):
        page = open_page(path, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert all(one.startswith((url, "data:")) for one in page.asked)
        assert page.said == []
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2, "the light and the dark scheme have different backgrounds"


def test_the_api_page_tells_all_of_the_document(open_page: Any, url: str) -> None:
    page = open_page("/docs")
    document = page.evaluate("fetch('/openapi.json').then(reply => reply.json())")
    titles = page.locator("main h2 code").all_inner_texts()
    assert titles == [f"{way.upper()} {path}" for path, ways in document["paths"].items() for way in ways]
    for name, schema in document["components"]["schemas"].items():
        for key in schema.get("properties", {}):
            assert page.locator(f"#objects [aria-label='{name}'] code", has_text=key).count() >= 1, (name, key)
