"""Labels of each auxiliary task, compared with hand-computed values."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentences import MOOD, ROWS, build_block, build_labels, load_config, prepare_data, write_rows

from mtl_auxiliary.log_odds import compute_log_odds, select_top_words
from mtl_auxiliary.sentence_length import compute_bin_edges, format_bin_names
from mtl_core.data.auxiliary_data import AuxiliaryData
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.label_space import MISSING
from mtl_core.errors import MtlError


def approx_log1p(*counts: int) -> object:
    return pytest.approx([math.log(1 + count) for count in counts])


def build_auxiliary_data(data: FittedData) -> AuxiliaryData:
    corpus, encoder = data.corpus, data.encoder
    main = {task.name: data.labels[task.name] for task in data.tasks if task.auxiliary_spec is None}
    return AuxiliaryData(corpus, main, encoder, encoder.parse(corpus.inputs), data.split.train)


# ── statistical ──


def test_word_frequency_is_the_logarithm_of_one_and_the_training_count(tmp_path: Path) -> None:
    task_labels = build_labels(tmp_path, build_block("word-frequency"))["word-frequency"]
    assert task_labels[0] == approx_log1p(3, 3, 2)
    assert task_labels[3] == approx_log1p(3, 3, 3, 1, 1)
    assert task_labels[5] == approx_log1p(0, 3, 0)  # "new" and "tea" occur in validation and test data only
    assert task_labels[7] == approx_log1p(3, 0, 0)


def test_each_word_has_one_tag_known_from_training(tmp_path: Path) -> None:
    write_rows(tmp_path, [*[row for row in ROWS if row[1] != "the game"], ("test", "the soup oddly", "", "")])
    coarse, fine = (
        build_labels(tmp_path, build_block("part-of-speech", tags=tags))["part-of-speech"]
        for tags in ("coarse", "fine")
    )
    assert coarse[0] == ["ADJ", "ADJ", "NOUN"]
    assert coarse[3] == ["ADJ", "ADJ", "NOUN", "ADV", "PUNCT"]
    assert coarse[-1] == [None, "NOUN", None]  # no training word is DET; "oddly" has no tag
    assert fine[3] == ["adj", "adj", "noun", "adv", "punct"]


def test_tags_belong_to_the_words_that_the_network_reads(tmp_path: Path) -> None:
    encoder = {"type": "spacy", "dimensions": 4, "drop": ["stop-words", "punctuation"], "max_tokens": 3}
    data = prepare_data(tmp_path, build_block("part-of-speech"), encoder=encoder)
    [group] = [group for group in data.groups if group.is_auxiliary]
    batch = data.examples.build_batch(np.array([3, 4]), torch.device("cpu"))
    classes = list(group.tasks[0].space.classes)
    codes = batch.targets[data.groups.index(group)][:, 0].tolist()
    # "bad bad game again ." without "again", a stop word, and the full stop; "the game" without "the"
    assert codes == [
        [classes.index("ADJ"), classes.index("ADJ"), classes.index("NOUN")],
        [classes.index("NOUN"), MISSING, MISSING],
    ]


def test_a_long_input_is_tagged_to_its_end(tmp_path: Path) -> None:
    text = "good soup " * 4000
    write_rows(tmp_path, [*ROWS, ("train", text, "positive", "food")])
    encoder = {"type": "embedding", "dimensions": 2, "max_tokens": 10}
    task_labels = build_labels(tmp_path, build_block("part-of-speech"), encoder=encoder)["part-of-speech"]
    assert task_labels[-1] == ["ADJ", "NOUN"] * 4000
    assert task_labels[0] == ["ADJ", "ADJ", "NOUN"]


def test_sentence_length_in_bins_of_the_training_lengths(tmp_path: Path) -> None:
    # training lengths are 3, 2, 3, 5, 2; the middle one is 3
    task_labels = build_labels(tmp_path, build_block("sentence-length"))["sentence-length"]
    assert task_labels == ["up to 3"] * 3 + ["4 or more"] + ["up to 3"] * 4
    three = build_block("sentence-length", bins=3)
    assert build_labels(tmp_path, three)["sentence-length"][:5] == ["3", "up to 2", "3", "4 or more", "up to 2"]
    for ordered, kind in ((True, "ordinal"), (False, "classification")):
        task = prepare_data(tmp_path, {**three, "ordered": ordered}).tasks[-1]
        assert task.config.kind.type == kind
        assert list(task.space.classes) == ["up to 2", "3", "4 or more"]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(2, 9))
def test_every_length_bin_is_used_and_they_are_even_where_they_can_be(lengths: list[int], bins: int) -> None:
    cuts = compute_bin_edges(lengths, bins)
    assert cuts == sorted(set(cuts))
    assert len(format_bin_names(cuts) if cuts else []) <= bins
    assert bool(cuts) == (len(set(lengths)) > 1)
    sizes = np.bincount(np.searchsorted(cuts, lengths, side="left"), minlength=len(cuts) + 1)
    assert (sizes > 0).all()
    if len(set(lengths)) == len(lengths) and len(lengths) % bins == 0:
        assert sizes.tolist() == [len(lengths) // bins] * bins


# ── selective unsupervised ──


def test_log_odds_are_those_of_the_paper() -> None:
    good, bad, prior = Counter(good=3, game=1), Counter(bad=3, game=1), Counter(good=3, bad=3, game=3)
    # 4 and 4 words, and 9 of the prior; good: 6 of 13 against 3 of 13
    expected = (math.log(6 / 7) - math.log(3 / 10)) / math.sqrt(1 / 6 + 1 / 3)
    scores = compute_log_odds(good, bad, prior)
    assert scores["good"] == pytest.approx(expected)
    assert scores["bad"] == pytest.approx(-expected)
    assert scores["game"] == 0
    assert select_top_words(scores, 5, 0.0) == ["good"]
    assert select_top_words(scores, 5, expected + 0.1) == []
    assert select_top_words({"b": 1.0, "a": 1.0, "c": 2.0}, 2, 0.0) == ["c", "a"]


counts = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 9)).map(Counter)


@given(counts, counts, counts)
def test_log_odds_change_sign_with_the_sides_and_grow_with_counts(
    first: Counter[str], second: Counter[str], rest: Counter[str]
) -> None:
    prior = Counter({word: first[word] + second[word] + rest[word] + 1 for word in "abcdefg"})
    scores, swapped_scores = compute_log_odds(first, second, prior), compute_log_odds(second, first, prior)
    assert scores.keys() == prior.keys()
    for word in scores:
        assert scores[word] == pytest.approx(-swapped_scores[word])
    more = compute_log_odds(first + Counter(a=5), second, prior + Counter(a=5))
    if first["a"] >= second["a"] and first.total() <= second.total():
        assert more["a"] > 0


def test_opinion_words_are_chosen_by_the_labels_of_training_examples(tmp_path: Path) -> None:
    rule = build_block("opinion-words")
    data = prepare_data(tmp_path, rule)
    spec = load_config(tmp_path, [rule]).auxiliary[0]
    positive, negative = spec.select_words(build_auxiliary_data(data))  # type: ignore[attr-defined]
    assert positive[0] == "good"
    assert negative[0] == "bad"
    assert "." not in positive + negative
    assert not set(positive) & set(negative)
    labels_by_task = build_labels(tmp_path, {**rule, "max_words": 1})
    assert labels_by_task["opinion-words.positive"] == ["yes", "no", "yes", "no", "no", "yes", "no", "no"]
    assert labels_by_task["opinion-words.negative"] == ["no", "yes", "no", "yes", "no", "no", "yes", "yes"]


def test_words_that_are_rare_or_everywhere_are_not_chosen(tmp_path: Path) -> None:
    def choose_words(**keys: object) -> list[list[str]]:
        rule = build_block("opinion-words", **keys)
        spec = load_config(tmp_path, [rule]).auxiliary[0]
        return list(spec.select_words(build_auxiliary_data(prepare_data(tmp_path, rule))))  # type: ignore[attr-defined]

    assert "tonight" in choose_words()[0]
    assert "tonight" not in choose_words(min_count=2)[0]
    rows = [*ROWS, *[("train", f"it good {word}", "positive", "food") for word in ("pie", "pie", "tart")]]
    write_rows(tmp_path, rows)
    assert "it" in choose_words()[0]
    assert "it" not in choose_words(max_df=0.3)[0]
    assert "pie" in choose_words(max_df=0.3)[0]


def test_an_example_with_labels_of_both_sides_chooses_no_words(tmp_path: Path) -> None:
    kind = {"type": "classification", "classes": ["food", "sport", "travel", "music"]}
    both = [{**MOOD, "name": "first", "label": "mood"}, {**MOOD, "name": "second", "label": "topic", "kind": kind}]
    rule = build_block("opinion-words", negative=["negative", "sport"], max_words=1)
    task_labels = build_labels(tmp_path, rule, tasks=both)["opinion-words.positive"]
    assert task_labels == ["yes", "no", "yes", "no", "no", "yes", "no", "no"]
    # "good game tonight" has labels of both sides, so it counts for neither; with mood only, it counts
    for main_task, chooses in (("first", True), (None, False)):
        wide = {**rule, "max_words": 9, "min_score": 0.4, "main_tasks": main_task and [main_task]}
        spec = load_config(tmp_path, [wide], tasks=both).auxiliary[0]
        positive, _ = spec.select_words(build_auxiliary_data(prepare_data(tmp_path, wide, tasks=both)))  # type: ignore[attr-defined]
        assert ("tonight" in positive) == chooses
    others = {**rule, "main_tasks": ["first"], "negative": ["negative"]}
    assert build_labels(tmp_path, others, tasks=both) == build_labels(
        tmp_path, {**others, "main_tasks": None}, tasks=[MOOD]
    )


def test_words_can_be_configured(tmp_path: Path) -> None:
    (tmp_path / "up.txt").write_text("; praise\n# more praise\n\nGAME\nnowhere\n", encoding="utf-8")
    (tmp_path / "down.txt").write_text("\ufeffsoup\n", encoding="utf-8")
    files = {"positive_words": "up.txt", "negative_words": "down.txt"}
    labels_by_task = build_labels(tmp_path, {"type": "opinion-words", "name": "words", **files})
    assert labels_by_task == {
        "words.positive": ["no", "no", "yes", "yes", "yes", "no", "yes", "no"],
        "words.negative": ["yes", "yes", "no", "no", "no", "no", "no", "no"],
    }
    positive_rule = build_block("opinion-words", positive_words="up.txt", max_words=1)
    mixed_labels = build_labels(tmp_path, positive_rule)
    assert mixed_labels["opinion-words.positive"] == labels_by_task["words.positive"]
    assert mixed_labels["opinion-words.negative"] == ["no", "yes", "no", "yes", "no", "no", "yes", "yes"]


# ── supervised ──


ASPECT_COLUMNS = ("split", "text", "food", "price", "tags")
ASPECTS = [{**MOOD, "name": name} for name in ("food", "price")]
TABLE = {"type": "table", "train": "data.csv", "split": "split", "text": "text", "lists": {"tags": ";"}}


def build_aspect_labels(folder: Path, rule: dict[str, object], tasks: object = ASPECTS) -> list[object]:
    rows = [
        ("train", "a b", "positive", "absent", "x;y"),
        ("train", "c d e", "absent", "absent", "x"),
        ("train", "f", "negative", "positive", ""),
        ("train", "g g", "negative", "", "y"),
        ("train", "h", "absent", "negative", "z;z"),
        ("test", "i", "", "", ""),
    ]
    write_rows(folder, rows, ASPECT_COLUMNS)
    [aspect_labels] = build_labels(folder, {"type": "aspect-presence", **rule}, data=TABLE, tasks=tasks).values()
    return list(aspect_labels)


def test_aspect_presence_lists_tasks_with_a_present_aspect(tmp_path: Path) -> None:
    assert build_aspect_labels(tmp_path, {}) == [["food"], [], ["food", "price"], None, ["price"], None]
    assert build_aspect_labels(tmp_path, {"missing": "absent"}) == [
        ["food"],
        [],
        ["food", "price"],
        ["food"],
        ["price"],
        None,
    ]
    assert build_aspect_labels(tmp_path, {"main_tasks": ["price"]}) == [[], [], ["price"], None, ["price"], None]
    assert build_aspect_labels(tmp_path, {"absent_labels": ["negative"]})[:3] == [
        ["food", "price"],
        ["food", "price"],
        ["price"],
    ]


def test_empty_label_list_counts_as_absent(tmp_path: Path) -> None:
    write_rows(tmp_path, [])
    rows = [{"text": "a", "tags": ["x"]}, {"text": "b", "tags": []}, {"text": "c", "tags": ["absent"]}]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"type": "table", "train": "data.jsonl", "text": "text"}
    tasks = [{"name": "tags", "kind": "multi-label", "head": "linear"}]
    assert build_labels(tmp_path, {"type": "aspect-presence"}, data=data, tasks=tasks) == {
        "aspect-presence": [["tags"], [], []]
    }


def test_column_is_learned_and_labels_unseen_in_training_are_missing(tmp_path: Path) -> None:
    for name in ("adversarial", "auxiliary-target"):
        data = prepare_data(tmp_path, build_block(name))
        task = data.tasks[-1]
        assert list(data.labels[name]) == ["food", "food", "sport", "sport", "sport", None, "sport", None]
        assert list(task.space.classes) == ["food", "sport"]  # not "travel", which occurs in validation data only
        head = task.config.head
        assert head.type == ("gradient-reversal" if name == "adversarial" else "linear")


def test_adversary_can_predict_data_sets(tmp_path: Path) -> None:
    write_rows(tmp_path, ROWS)
    table = {"type": "table", "train": "data.csv", "split": "split", "text": "text", "labels": ["mood"]}
    task_labels = build_labels(
        tmp_path, {"type": "adversarial", "source": True}, data=None, data_sets={"first": table, "second": table}
    )["adversarial"]
    assert task_labels == ["first"] * len(ROWS) + ["second"] * len(ROWS)


def test_auxiliary_target_can_be_of_any_kind(tmp_path: Path) -> None:
    rows = [
        {"split": "train", "words": ["a", "b"], "mood": "up", "size": 1.5, "many": ["x"], "each": ["X", "Y"]},
        {"split": "train", "words": ["c"], "mood": "down", "size": 3.5, "many": ["x", "y"], "each": ["X"]},
        {"split": "test", "words": ["d", "e"], "mood": "up", "size": -1, "many": ["x", "z"], "each": ["Y", "Z"]},
        {"split": "test", "words": ["d"], "mood": "up", "size": None, "many": [], "each": None},
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"type": "table", "train": "data.jsonl", "split": "split", "words": "words"}
    write_rows(tmp_path, [])
    columns = {"size": "regression", "many": "multi-label", "each": "token-tagging"}
    blocks = [
        {
            "type": "auxiliary-target",
            "name": f"inverse {label}",
            "label": label,
            "kind": kind,
            "head": "token-linear" if label == "each" else "linear",
        }
        for label, kind in columns.items()
    ]
    labels_by_task = build_labels(tmp_path, *blocks, data=data)
    assert labels_by_task["inverse size"] == [1.5, 3.5, -1, None]
    assert [label if label is None else list(label) for label in labels_by_task["inverse many"]] == [
        ["x"],
        ["x", "y"],
        None,
        [],
    ]
    assert [label if label is None else list(label) for label in labels_by_task["inverse each"]] == [
        ["X", "Y"],
        ["X"],
        ["Y", None],
        None,
    ]


# ── unsupervised ──


def test_unsupervised_targets_are_the_input(tmp_path: Path) -> None:
    names = ("masked-tokens", "bag-of-words", "reconstruction")
    data = prepare_data(tmp_path, *[build_block(name, vocab_size=3) for name in names])
    assert [task.config.kind.type for task in data.tasks[1:]] == list(names)
    for task in data.tasks[1:]:
        assert list(task.space.classes) == ["bad", "game", "good"]  # each occurs three times; in alphabetical order
    batch = data.examples.build_batch(np.array([0, 3]), torch.device("cpu"))
    masked, bag, token_targets = (table[:, 0].tolist() for table in batch.targets[1:])
    assert token_targets == [[2, 2, -1, -1, -1], [0, 0, 1, -1, -1]]
    assert bag == [[0, 0, 1], [1, 1, 0]]
    token_mask = data.examples.encoder.token_ids(batch.masked_inputs[1]) != data.examples.encoder.token_ids(
        batch.inputs
    )
    assert token_mask.any(dim=1).all()
    assert [[code >= 0 for code in row] for row in masked] == [
        [is_masked and code >= 0 for is_masked, code in zip(mask_row, codes, strict=True)]
        for mask_row, codes in zip(token_mask.tolist(), token_targets, strict=True)
    ]


def test_masked_tokens_uses_the_configured_ratio(tmp_path: Path) -> None:
    for ratio in (0.15, 0.5):
        data = prepare_data(tmp_path, build_block("masked-tokens", mask_ratio=ratio))
        assert data.groups[-1].tasks[0].kind.mask_ratio == ratio


def test_encoders_without_words_are_refused(tmp_path: Path) -> None:
    numbers = {"type": "table", "train": "data.csv", "numbers": ["x"], "labels": ["mood", "topic"]}
    rows = [(str(index), mood, topic) for index, (_, _, mood, topic) in enumerate(ROWS)]
    write_rows(tmp_path, rows, ("x", "mood", "topic"))
    blocks = {"data": numbers, "encoder": "array", "backbone": {"type": "mlp", "hidden_dims": [4]}}
    supported = []
    for name in ("word-frequency", "part-of-speech", "sentence-length", "opinion-words", "masked-tokens",
                 "bag-of-words", "reconstruction", "adversarial", "auxiliary-target",
                 "aspect-presence"):  # fmt: skip
        try:
            supported.append(list(build_labels(tmp_path, build_block(name), **blocks)))
        except MtlError as error:
            assert f"auxiliary.0 ('{name}')" in str(error)  # noqa: PT017
            assert "it needs a text encoder" in str(error)  # noqa: PT017
    assert supported == [["adversarial"], ["auxiliary-target"], ["aspect-presence"]]
