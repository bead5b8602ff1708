"""The page in a browser: content, keyboard, light and dark scheme, requested URLs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mtl_core.serving.limits import Limits
from mtl_core.serving.server import bind_socket, build_server, load_app

MALICIOUS_TEXT = '<img src=x onerror="document.title=1"> Quiet <b>rooms</b> .'
Served = Callable[..., AbstractContextManager[tuple[int, Any]]]


@pytest.fixture(scope="module")
def url(notes_run: Path) -> Iterator[str]:
    """The URL of a running server."""
    app = load_app(notes_run, Limits(max_text_length=4000))
    with bind_socket("127.0.0.1", 0) as server_socket:
        server_socket.listen(100)
        server = build_server(app)
        thread = threading.Thread(target=lambda: server.run(sockets=[server_socket]))
        thread.start()
        yield f"http://127.0.0.1:{server_socket.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def open_page(browser: Any, url: str) -> Iterator[Any]:
    contexts = []

    def load_page(path: str = "/", width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.logged_messages, page.requested_urls = [], []
        page.on("console", lambda message: page.logged_messages.append(message.text))
        page.on("pageerror", lambda error: page.logged_messages.append(str(error)))
        page.on("request", lambda request: page.requested_urls.append(request.url))
        page.goto(f"{url}{path}", wait_until="load")
        return page

    yield load_page
    for context in contexts:
        context.close()


def test_example_button_predicts(open_page: Any, url: str) -> None:
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
    assert page.logged_messages == []
    assert {requested_url.removeprefix(url) for requested_url in page.requested_urls} <= {
        "/",
        "/static/style.css",
        "/static/index.js",
        "/predict",
        "data:,",
    }


def test_page_is_operable_by_keyboard(open_page: Any) -> None:
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
    assert page.logged_messages == []


def test_user_text_is_escaped(open_page: Any) -> None:
    page = open_page()
    page.locator("#text").fill(MALICIOUS_TEXT)
    page.locator("#text").press("Control+Enter")
    page.wait_for_selector(".task")
    assert page.locator(".attention .text").inner_text() == MALICIOUS_TEXT
    assert page.locator("#prediction img, #prediction b").count() == 0
    assert page.title() == "notes"
    assert page.logged_messages == []


def test_errors_are_displayed(open_page: Any) -> None:
    page = open_page()
    for text, message in (
        ("   ", "found an empty text, expected at least one word."),
        ("y" * 4001, "at most 4,000."),
    ):
        page.locator("#text").fill(text)
        page.locator("#text").press("Control+Enter")
        page.get_by_role("alert").filter(has_text=message).wait_for()


@pytest.mark.parametrize("path", ["/", "/docs", "/demo"])
def test_pages_fit_and_request_no_other_host(path: str, open_page: Any, url: str) -> None:
    backgrounds = set()
    for width, scheme in ((1280, "light"), (360, "dark")):
        page = open_page(path, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert all(requested_url.startswith((url, "data:")) for requested_url in page.requested_urls)
        assert page.logged_messages == []
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2, "the light and the dark scheme have different backgrounds"


def test_api_page_documents_the_full_schema(open_page: Any, url: str) -> None:
    page = open_page("/docs")
    document = page.evaluate("fetch('/openapi.json').then(reply => reply.json())")
    titles = page.locator("main h2 code").all_inner_texts()
    assert titles == [
        f"{http_method.upper()} {path}" for path, operations in document["paths"].items() for http_method in operations
    ]
    for name, schema in document["components"]["schemas"].items():
        for key in schema.get("properties", {}):
            assert page.locator(f"#objects [aria-label='{name}'] code", has_text=key).count() >= 1, (name, key)
