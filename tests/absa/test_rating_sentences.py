"""Splitting reviews into plain-text sentences."""

import re
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from absa_plugin.rating.plain_text import plain_text
from absa_plugin.rating.sentences import LONGEST, sentences_of


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
    assert list(sentences_of(plain_text(text))) == expected


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
def test_html_is_taken_out(text: str, expected: str) -> None:
    assert plain_text(text) == expected


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text)


@given(st.text(alphabet=st.sampled_from('aB .!?…\n"“”)。،é漢😍1&;'), max_size=200) | st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_letter_is_lost_and_no_sentence_is_long(text: str) -> None:
    found = list(sentences_of(text))
    assert _letters("".join(found)) == _letters(text)
    assert all(sentence == sentence.strip() and _letters(sentence) for sentence in found)
    assert all(len(sentence) <= LONGEST for sentence in found)


def test_a_review_without_any_full_stop_is_cut_between_words() -> None:
    found = list(sentences_of("tasty " * 1000))
    assert len(found) > 10
    assert {word for sentence in found for word in sentence.split()} == {"tasty"}
    assert list(sentences_of("x" * 1000)) == ["x" * LONGEST, "x" * LONGEST, "x" * (1000 - 2 * LONGEST)]


@pytest.mark.parametrize("unit", [".", ". ", "a.", '."', "<a", "<!--", "&", "\n", " ", "!!! ", "Aaa.", "word "])
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    """A quadratic pattern would take minutes on these texts."""
    text = unit * (200_000 // len(unit))
    start = process_time()
    list(sentences_of(plain_text(text)))
    assert process_time() - start < 5
