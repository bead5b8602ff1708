import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import absa_plugin
from absa_plugin.semeval import SemEval2014
from mtl_core.data.corpus import Corpus, Span, compute_input_key
from mtl_core.errors import MtlError

POLARITIES = ["positive", "negative", "neutral", "conflict"]
CATEGORIES = ["food", "service", "price", "ambience", "anecdotes/miscellaneous"]
SAMPLE = Path(absa_plugin.__file__).parent / "sample"
REAL = Path(__file__).parents[3] / "shared" / "data" / "semeval2014" / "Restaurants_Train_v2.xml"

Row = tuple[str, str, list[tuple[str, str]] | None]


def build_sentence(name: str, text: str, labels: list[tuple[str, str]] | None) -> str:
    mentions = "".join(f"<aspectCategory category={quoteattr(c)} polarity={quoteattr(p)}/>\n" for c, p in labels or [])
    block = "" if labels is None else f"<aspectCategories>\n{mentions}</aspectCategories>\n"
    return f"<sentence id={quoteattr(name)}>\n<text>{escape(text)}</text>\n{block}</sentence>\n"


def build_document(*rows: Row, root: str = "<sentences>") -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n{"".join(build_sentence(*r) for r in rows)}</sentences>\n'


def write_file(folder: Path, content: str | bytes, name: str = "train.xml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load_rows(folder: Path, *rows: Row, **fields: Any) -> Corpus:
    return SemEval2014(train=write_file(folder, build_document(*rows)), **fields).load()


def get_error(folder: Path, content: str | bytes, **fields: Any) -> str:
    path = write_file(folder, content)
    with pytest.raises(MtlError) as caught:
        SemEval2014(train=path, **fields).load()
    message = str(caught.value)
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


ANNOTATED: Row = ("1", "Fine soup.", [("food", "positive")])
UNANNOTATED: Row = ("2", "Nobody has read this one.", None)


# Labels


def test_unnamed_category_is_absent_and_unannotated_sentence_is_missing(tmp_path: Path) -> None:
    corpus = load_rows(
        tmp_path,
        ANNOTATED,
        UNANNOTATED,
        ("3", "Nothing here.", []),
        ("4", "Slow but cheap.", [("service", "negative")]),
    )
    assert corpus.labels == {
        "food": ["positive", None, "absent", "absent"],
        "service": ["absent", None, "absent", "negative"],
    }
    assert corpus.ids == ["1", "2", "3", "4"]
    assert corpus.splits == ["train"] * 4
    assert not corpus.warnings


def test_an_empty_element_means_annotated(tmp_path: Path) -> None:
    content = build_document(ANNOTATED).replace(
        "</sentences>", '<sentence id="2"><text>Hm.</text><aspectCategories/></sentence></sentences>'
    )
    assert SemEval2014(train=write_file(tmp_path, content)).load().labels == {"food": ["positive", "absent"]}


TERMS = (
    '<sentence id="1"><text>  Good soup, slow staff </text><aspectTerms>'
    '<aspectTerm term="soup" polarity="positive" from="7" to="11"/>'
    '<aspectTerm term="staff" from="18" to="23"/></aspectTerms>'
    '<aspectCategories><aspectCategory category="food" polarity="positive"/></aspectCategories></sentence>'
    '<sentence id="2"><text>Fine</text><aspectCategories>'
    '<aspectCategory category="food" polarity="positive"/></aspectCategories></sentence>'
    '<sentence id="3"><text>Nobody looked at this</text></sentence>'
)


def test_aspect_terms_are_spans_of_the_stripped_text(tmp_path: Path) -> None:
    corpus = SemEval2014(train=write_file(tmp_path, f"<sentences>{TERMS}</sentences>")).load()
    terms = corpus.spans["terms"]
    assert terms[0] == [Span(5, 9, "positive"), Span(16, 21, None)]
    assert [corpus.get_text(0)[span.start : span.end] for span in terms[0] or ()] == ["soup", "staff"]
    assert terms[1:] == [[], None]


def test_without_aspect_terms_there_are_no_spans(tmp_path: Path) -> None:
    assert not load_rows(tmp_path, ("1", "Good soup", [("food", "positive")])).spans


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('from="7"', 'from="seven"', "sentence 1: <aspectTerm> needs `from` and `to`"),
        (' to="11"', "", "sentence 1: <aspectTerm> needs `from` and `to`"),
        ('to="23"', 'to="99"', "from 18 to 99 does not lie in the text, which has 24 characters"),
        ('from="18"', 'from="23"', "from 23 to 23 does not lie in the text"),
    ],
)
def test_invalid_aspect_term_offsets(tmp_path: Path, old: str, new: str, expected: str) -> None:
    content = f"<sentences>{TERMS}</sentences>".replace(old, new)
    assert expected in get_error(tmp_path, content)


def test_columns_are_sorted_by_frequency_then_name(tmp_path: Path) -> None:
    rows = [
        ("1", "a", [("price", "neutral"), ("service", "neutral")]),
        ("2", "b", [("service", "neutral"), ("ambience", "neutral")]),
    ]
    assert list(load_rows(tmp_path, *rows).labels) == ["service", "ambience", "price"]
    corpus = load_rows(tmp_path, *rows, categories=["price", "food", "service", "ambience"])
    assert list(corpus.labels) == ["service", "ambience", "price", "food"]
    assert corpus.labels["food"] == ["absent", "absent"]
    assert corpus.warnings == ["train.xml: the category 'food' never occurs"]


def test_every_example_has_a_location(tmp_path: Path) -> None:
    path = write_file(tmp_path, build_document(ANNOTATED, UNANNOTATED))
    assert SemEval2014(train=path).load().locations == [f"{path}:3: sentence 1", f"{path}:9: sentence 2"]


def test_three_files_become_three_splits(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        split_name: write_file(
            tmp_path, build_document(ANNOTATED, root=f'<sentences disclaimer="{disclaimer}">'), f"{split_name}.xml"
        )
        for split_name, disclaimer in {
            "train": "Made up.",
            "validation": "Made up.",
            "test": "Also made up.",
        }.items()
    }
    corpus = SemEval2014(**files).load()
    assert corpus.splits == ["train", "validation", "test"]
    assert corpus.ids == ["1", "1", "1"]
    assert corpus.disclaimer == "Made up. Also made up."


# Repaired input and its warnings


def test_repeated_category_is_merged(tmp_path: Path) -> None:
    duplicate_labels = [("food", "positive"), ("food", "positive")]
    rows = [(str(number), "Soup, soup.", duplicate_labels) for number in range(7)]
    corpus = load_rows(tmp_path, *rows)
    assert corpus.labels == {"food": ["positive"] * 7}
    assert corpus.warnings == [
        "train.xml: a category is named twice with one polarity in 7 sentences; merged (0, 1, 2, 3, 4 and 2 more)"
    ]


@pytest.mark.parametrize("order", ["pn", "np", "pnp", "ppn"])
def test_positive_and_negative_become_conflict(tmp_path: Path, order: str) -> None:
    words = {"p": "positive", "n": "negative"}
    corpus = load_rows(tmp_path, ("9", "Good and bad.", [("food", words[code]) for code in order]))
    assert corpus.labels == {"food": ["conflict"]}
    assert corpus.warnings == [
        "train.xml: a category is named as positive and as negative in 1 sentence; read as 'conflict' (9)"
    ]


@pytest.mark.parametrize("labels", [[("food", "positive")], None])
def test_empty_text_is_skipped_and_reported(tmp_path: Path, labels: list[tuple[str, str]] | None) -> None:
    corpus = load_rows(tmp_path, ANNOTATED, ("17", " \n ", labels))
    assert corpus.ids == ["1"]
    assert corpus.warnings == ["train.xml: the text is empty in 1 sentence; set aside (17)"]


def test_a_category_without_polarity_is_missing_not_absent(tmp_path: Path) -> None:
    content = build_document(ANNOTATED, ("2", "Soup.", [("food", "x")])).replace(' polarity="x"', "")
    corpus = SemEval2014(train=write_file(tmp_path, content)).load()
    assert corpus.labels == {"food": ["positive", None]}
    assert "without a polarity in 1 sentence" in corpus.warnings[0]


def test_a_very_long_text_is_loaded(tmp_path: Path) -> None:
    text = "soup & " * 15_000 + "end"
    assert load_rows(tmp_path, ("1", text, [("food", "neutral")])).inputs == [text]


# Rejected input


def test_unknown_polarity(tmp_path: Path) -> None:
    message = get_error(tmp_path, build_document(ANNOTATED, ("813", "Soup.", [("food", "postive")])))
    assert message == (
        ":12: sentence 813: unknown polarity 'postive' of the category 'food'; did you mean 'positive'?"
        " (polarities: positive, negative, neutral, conflict)"
    )


@pytest.mark.parametrize("pair", [("positive", "neutral"), ("negative", "conflict")])
def test_polarities_that_contradict_each_other(tmp_path: Path, pair: tuple[str, str]) -> None:
    message = get_error(tmp_path, build_document(("5", "Soup.", [("food", pair[0]), ("food", pair[1])])))
    assert message.startswith(f":7: sentence 5: the category 'food' is named as {pair[0]} and as {pair[1]};")


def test_positive_and_negative_contradict_each_other_where_there_is_no_conflict(tmp_path: Path) -> None:
    rows = build_document(("5", "Soup.", [("food", "positive"), ("food", "negative")]))
    assert "sentence 5" in get_error(tmp_path, rows, polarities=["positive", "negative"])


def test_misspelt_category(tmp_path: Path) -> None:
    message = get_error(
        tmp_path, build_document(ANNOTATED, ("2", "b", [("servise", "neutral")])), categories=CATEGORIES
    )
    assert message == (
        ":12: sentence 2: the category 'servise' is not one of `categories`; did you mean 'service'?"
        f" (known: {', '.join(CATEGORIES)})"
    )


@pytest.mark.parametrize("part", ["test", "validation"])
def test_category_without_training_examples(tmp_path: Path, part: str) -> None:
    train = write_file(tmp_path, build_document(ANNOTATED))
    other = write_file(tmp_path, build_document(("77", "b", [("foods", "neutral")])), "other.xml")
    with pytest.raises(MtlError) as caught:
        SemEval2014.model_validate({"train": train, part: other}).load()
    assert str(caught.value) == (
        f"{other}:6: sentence 77: the category 'foods' never occurs in the training file;"
        " did you mean 'food'? (known: food)"
    )


def test_training_file_without_categories(tmp_path: Path) -> None:
    assert "nothing to learn" in get_error(tmp_path, build_document(UNANNOTATED))


def test_duplicate_ids_are_numbered_and_reported(tmp_path: Path) -> None:
    corpus = SemEval2014(
        train=write_file(tmp_path, build_document(ANNOTATED, UNANNOTATED, ANNOTATED, ANNOTATED))
    ).load()
    assert list(corpus.ids) == ["1", "2", "1 (2)", "1 (3)"]
    assert any("ids that occur more than once were numbered (1)" in finding for finding in corpus.warnings)


@pytest.mark.parametrize("opening", ["<sentence>", '<sentence id=" ">'])
def test_sentence_without_id_is_named_after_its_line(tmp_path: Path, opening: str) -> None:
    corpus = SemEval2014(
        train=write_file(tmp_path, build_document(ANNOTATED, UNANNOTATED).replace('<sentence id="1">', opening))
    ).load()
    assert list(corpus.ids) == ["line-3", "2"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<text>Fine soup.</text>", "", ":3: sentence 1 has no <text>"),
        ("<text>", "<text>One.</text><text>", ":4: sentence 1 has a second <text>"),
        ("Fine", "<b>Fine</b>", ":4: unexpected <b>, inside <text> of sentence 1"),
        (' category="food"', "", ":6: sentence 1: <aspectCategory> has no category"),
        ("aspectCategories>", "aspectCategorys>", "<aspectCategorys>, inside <sentence> of sentence 1; did you"),
        ("sentences>", "reviews>", ":2: the root element is <reviews>, expected <sentences>"),
        ("sentences>", "Reviews>", "SemEval-2015 and 2016 files have another format"),
        ("Fine", "&fine;", ":4: not well-formed XML, inside <text> of sentence 1: undefined entity"),
        ("</text>", "</txt>", ":4: not well-formed XML, inside <text> of sentence 1: mismatched tag"),
    ],
)
def test_damaged_structure(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in get_error(tmp_path, build_document(ANNOTATED).replace(old, new))


@pytest.mark.parametrize("cut", range(45, len(build_document(ANNOTATED)) - 1, 7))
def test_truncated_anywhere(tmp_path: Path, cut: int) -> None:
    content = build_document(ANNOTATED)[:cut]
    message = get_error(tmp_path, content)
    assert re.match(r":\d+: the file ends too early", message)
    assert int(message.split(":")[1]) <= content.count("\n") + 1


@pytest.mark.parametrize("content", ["", "  \n\n"])
def test_empty_file(tmp_path: Path, content: str) -> None:
    assert get_error(tmp_path, content) == ": the file is empty"


def test_file_without_sentences(tmp_path: Path) -> None:
    assert get_error(tmp_path, "<sentences/>") == ": contains no <sentence>"


def test_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.xml", tmp_path):
        with pytest.raises(MtlError, match="cannot be read"):
            SemEval2014(train=path).load()


BOMB = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
DOCTYPES = {
    "bomb": f'<!DOCTYPE sentences [<!ENTITY l0 "lol">{BOMB}]>',
    "external entity": '<!DOCTYPE sentences [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
    "parameter entity": '<!DOCTYPE sentences [<!ENTITY % l9 SYSTEM "http://127.0.0.1:9/x"> %l9;]>',
    "external subset": '<!DOCTYPE sentences SYSTEM "http://127.0.0.1:9/x.dtd">',
    "harmless entity": '<!DOCTYPE sentences [<!ENTITY l9 "soup">]>',
}


@pytest.mark.parametrize("doctype", DOCTYPES.values(), ids=DOCTYPES.keys())
def test_document_types_and_entities(tmp_path: Path, doctype: str) -> None:
    content = build_document(ANNOTATED).replace("<sentences>", f"{doctype}\n<sentences>").replace("Fine", "&l9;")
    message = get_error(tmp_path, content)
    assert message.startswith(":2: document type declarations and entities are not allowed")
    assert "root:" not in message


# Encodings

ACCENTED: Row = ("1", "Crème brûlée — très bon.", [("food", "positive")])


def test_bytes_that_are_not_of_the_declared_encoding(tmp_path: Path) -> None:
    data = build_document(ACCENTED).replace("—", "-").encode("latin-1")
    offset = data.index(b"\xe8")
    message = get_error(tmp_path, data)
    assert message.startswith(f":4: byte {offset} (0xe8) is not UTF-8, which it declares;")


def test_bytes_of_an_undeclared_encoding(tmp_path: Path) -> None:
    data = build_document(ACCENTED).replace("—", "-").replace(' encoding="UTF-8"', "").encode("latin-1")
    assert "(0xe8) is not UTF-8, which it must be, since it declares no other" in get_error(tmp_path, data)


@pytest.mark.parametrize("name", ["no-such-code", "rot13", "UTF-16", "punycode", "unicode_escape"])
def test_wrong_declared_encoding(tmp_path: Path, name: str) -> None:
    data = build_document(("1", r"\ud800", None)).replace("UTF-8", name)
    assert get_error(tmp_path, data).startswith(":1: ")


UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("cp1252", True), *((name, True) for name in UNICODE), *((name, False) for name in UNICODE)],
)
def test_supported_encodings(tmp_path: Path, encoding: str, declared: bool) -> None:
    old = ' encoding="UTF-8"'
    content = build_document(ACCENTED).replace(old, f' encoding="{encoding}"' if declared else "")
    corpus = SemEval2014(train=write_file(tmp_path, content.encode(encoding))).load()
    assert corpus.inputs == [ACCENTED[1]]


# Other files and texts


def test_another_file_becomes_test_data(tmp_path: Path) -> None:
    loader = SemEval2014(train=tmp_path / "gone.xml")
    corpus = loader.load_file(write_file(tmp_path, build_document(ANNOTATED, UNANNOTATED), "new.xml"), [])
    assert corpus.splits == ["test", "test"]
    assert corpus.labels == {"food": ["positive", None]}


def test_an_unlabelled_file_has_no_labels(tmp_path: Path) -> None:
    path = write_file(tmp_path, build_document(UNANNOTATED))
    assert SemEval2014(train=path).load_file(path, []).labels == {}
    corpus = SemEval2014(train=path, categories=CATEGORIES).load_file(path, [])
    assert corpus.labels == {name: [None] for name in sorted(CATEGORIES)}


def test_texts(tmp_path: Path) -> None:
    loader = SemEval2014(train=tmp_path / "gone.xml")
    assert loader.from_text("  Fine soup.\n") == "Fine soup."
    with pytest.raises(MtlError, match="empty"):
        loader.from_text(" \n\t")


@pytest.mark.parametrize(
    "fields",
    [
        {"polarities": ["positive", "absent"]},
        {"polarities": ["positive", "positive"]},
        {"polarities": []},
        {"categories": ["food", "food"]},
        {"trian": "x.xml"},
    ],
)
def test_invalid_settings(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SemEval2014.model_validate({"train": "train.xml", **fields})


def test_spec_imports_neither_torch_nor_an_xml_parser() -> None:
    code = (
        "import sys, absa_plugin.semeval as s; s.SemEval2014(train='x.xml');"
        "print({'torch', 'defusedxml', 'lxml', 'spacy'} & set(sys.modules))"
    )
    root = Path(absa_plugin.__file__).parents[1]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


# Round trip

characters = st.one_of(
    st.sampled_from("&<>\"'\t\n ]é漢\U0001f35c"),
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
)
words = st.text(characters, min_size=1, max_size=30).map(str.strip).filter(bool)
polarity = st.sampled_from(POLARITIES)
annotations = st.one_of(st.none(), st.dictionaries(words, polarity, max_size=4))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(words, words, annotations), min_size=1, max_size=8, unique_by=lambda row: row[0]),
    category=words,
)
def test_round_trip(tmp_path: Path, rows: list[tuple[str, str, dict[str, str] | None]], category: str) -> None:
    first = (f"{rows[0][0]}+", "anchor", {category: "neutral"})
    rows = [first, *(row for row in rows if row[0] != first[0])]
    corpus = load_rows(tmp_path, *((name, text, None if d is None else list(d.items())) for name, text, d in rows))
    assert corpus.ids == [name for name, _, _ in rows]
    assert corpus.inputs == [text for _, text, _ in rows]
    categories = {name for _, _, labels in rows for name in labels or {}}
    assert corpus.labels == {
        name: [None if labels is None else labels.get(name, "absent") for _, _, labels in rows] for name in categories
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data())
def test_damaged_file_is_loaded_or_rejected_without_a_crash(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(build_document(ANNOTATED, UNANNOTATED, ACCENTED).encode())
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 12)))
    content[start:end] = data.draw(st.binary(max_size=12))
    loader = SemEval2014(train=write_file(tmp_path, bytes(content)))
    try:
        loader.load()
    except MtlError as error:
        message = str(error)
    else:
        return
    assert message.startswith(str(tmp_path))


# The sample data of the plugin


@pytest.fixture(scope="module")
def sample_corpus() -> Corpus:
    return SemEval2014(train=SAMPLE / "train.xml", test=SAMPLE / "test.xml", categories=CATEGORIES).load()


def test_sample_is_large_enough_and_has_no_duplicates(sample_corpus: Corpus) -> None:
    assert len(sample_corpus.get_row_indices("train")) >= 400
    assert len(sample_corpus.get_row_indices("test")) >= 120
    assert len({compute_input_key(text) for text in sample_corpus.inputs}) == len(sample_corpus)
    assert not sample_corpus.warnings


@pytest.mark.parametrize("part", ["train", "test"])
def test_sample_has_every_label(sample_corpus: Corpus, part: str) -> None:
    rows = [index for index, split_name in enumerate(sample_corpus.splits) if split_name == part]
    for name in CATEGORIES:
        assert {sample_corpus.labels[name][row] for row in rows} == {*POLARITIES, "absent"}
    n_mentions = sum(sample_corpus.labels[name][row] != "absent" for name in CATEGORIES for row in rows)
    assert 1.1 < n_mentions / len(rows) < 1.35
    assert all(any(sample_corpus.labels[name][row] != "absent" for name in CATEGORIES) for row in rows)


def test_sample_splits_share_no_similar_sentences(sample_corpus: Corpus) -> None:
    bags = [frozenset(re.findall(r"[\w']+", str(text).lower())) for text in sample_corpus.inputs]
    for row in sample_corpus.get_row_indices("test"):
        for other in sample_corpus.get_row_indices("train"):
            assert len(bags[row] & bags[other]) <= 0.45 * len(bags[row] | bags[other])


def test_sample_has_a_disclaimer(sample_corpus: Corpus) -> None:
    assert sample_corpus.disclaimer == "Sample data written for this project; not SemEval-2014, not real reviews."


# The real file


@pytest.fixture(scope="module")
def real_corpus() -> Corpus:
    if not REAL.exists():
        pytest.skip(f"the real data is not available: {REAL}")
    return SemEval2014(train=REAL).load()


@pytest.mark.shared
def test_real_file(real_corpus: Corpus) -> None:
    assert len(real_corpus) == 3041
    assert not real_corpus.disclaimer
    assert list(real_corpus.labels) == ["food", "anecdotes/miscellaneous", "service", "ambience", "price"]
    counts = {name: Counter(column) for name, column in real_corpus.labels.items()}
    order = ["positive", "negative", "conflict", "neutral"]
    assert {name: [count[label] for label in order] for name, count in counts.items()} == {
        "food": [867, 209, 66, 90],
        "anecdotes/miscellaneous": [544, 199, 30, 357],
        "service": [324, 218, 35, 20],
        "ambience": [263, 98, 47, 23],
        "price": [179, 115, 17, 10],
    }
    assert all(sum(count.values()) == 3041 and None not in count for count in counts.values())


@pytest.mark.shared
def test_real_file_warnings(real_corpus: Corpus) -> None:
    assert real_corpus.warnings == [
        "Restaurants_Train_v2.xml: a category is named twice with one polarity in 2 sentences; merged (3561, 258)"
    ]


@pytest.mark.shared
def test_sample_shares_no_sentence_with_the_real_file(real_corpus: Corpus, sample_corpus: Corpus) -> None:
    assert not {compute_input_key(text) for text in real_corpus.inputs} & {
        compute_input_key(text) for text in sample_corpus.inputs
    }
