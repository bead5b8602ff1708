"""Splitting reviews into plain-text sentences."""

import re
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_ratings.sentences import MAX_SENTENCE_CHARACTERS, split_sentences, strip_html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Great food. service was slow!", ["Great food.", "service was slow!"]),
        ("Why?! No idea…  Fine.", ["Why?!", "No idea…", "Fine."]),
        ("We waited... and waited. Sad.", ["We waited... and waited.", "Sad."]),
        (
            "Mr. Smith, e.g. at 9 a.m. today, paid 3.50 euros.",
            ["Mr. Smith, e.g. at 9 a.m. today, paid 3.50 euros."],
        ),
        ('"Lovely." He left.', ['"Lovely."', "He left."]),
        ("great food.Service was slow", ["great food.", "Service was slow"]),
        ("see example.com or v2.Beta", ["see example.com or v2.Beta"]),
        ("one line\nanother\r\n\r\nthird", ["one line", "another", "third"]),
        ("食べ物は美味しい。サービスは遅い！", ["食べ物は美味しい。", "サービスは遅い！"]),  # noqa: RUF001
        ("खाना अच्छा था। सेवा धीमी थी।", ["खाना अच्छा था।", "सेवा धीमी थी।"]),
        ("هل كان جيدا؟ نعم.", ["هل كان جيدا؟", "نعم."]),
        ("The pizza! 😍 10/10! 👍", ["The pizza! 😍 10/10! 👍"]),
        ("Good 😍 food", ["Good 😍 food"]),
        ("😍😍😍", []),
        ("!!! ... 10/10", []),
        ("", []),
        (" \n\t ", []),
        ("A", ["A"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert list(split_sentences(strip_html(text))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fine<br />food<p class='x'>slow", "fine\nfood\nslow"),
        ("a <b>very</b> good\u00a0\t soup", "a very good soup"),
        ("fish &amp; chips &lt;3 &#128525;", "fish & chips <3 😍"),
        ("I <3 it, 2 < 3 > 1", "I <3 it, 2 < 3 > 1"),
        ("&lt;b&gt; is a tag", "<b> is a tag"),
        ("nul\x00 and bell\x07", "nul and bell "),
        ("x<!-- secret -->y", "x y"),
    ],
)
def test_html_is_removed(text: str, expected: str) -> None:
    assert strip_html(text) == expected


def _keep_alphabetic(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text)


@given(st.text(alphabet=st.sampled_from('aB .!?…\n"“”)。،é漢😍1&;'), max_size=200) | st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_splitting_loses_no_text_and_limits_the_length(text: str) -> None:
    sentences = list(split_sentences(text))
    assert _keep_alphabetic("".join(sentences)) == _keep_alphabetic(text)
    assert all(sentence == sentence.strip() and _keep_alphabetic(sentence) for sentence in sentences)
    assert all(len(sentence) <= MAX_SENTENCE_CHARACTERS for sentence in sentences)


def test_review_without_full_stops_is_split_between_words() -> None:
    sentences = list(split_sentences("tasty " * 1000))
    assert len(sentences) > 10
    assert {word for sentence in sentences for word in sentence.split()} == {"tasty"}
    assert list(split_sentences("x" * 1000)) == [
        "x" * MAX_SENTENCE_CHARACTERS,
        "x" * MAX_SENTENCE_CHARACTERS,
        "x" * (1000 - 2 * MAX_SENTENCE_CHARACTERS),
    ]


@pytest.mark.parametrize("unit", [".", ". ", "a.", '."', "<a", "<!--", "&", "\n", " ", "!!! ", "Aaa.", "word "])
def test_runtime_is_linear(unit: str) -> None:
    """A quadratic pattern would take minutes on these texts."""
    text = unit * (200_000 // len(unit))
    start = process_time()
    list(split_sentences(strip_html(text)))
    assert process_time() - start < 5
