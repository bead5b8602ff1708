"""Checks of loaders."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.config.paths import input_paths
from mtl_core.data.corpus import Corpus, Label, compute_input_key
from mtl_core.data.masks import Mask
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import LoaderSpec
from mtl_core.testing.checks import Checks, expect, fail
from mtl_core.testing.rng import preserves_rng_state
from mtl_core.testing.spec import spec_checks


def loader_checks(spec: LoaderSpec, file: Path | None, text: str | None, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.loader_checks`."""
    checks = spec_checks(spec)
    checks.add("corpus", "It returns a Corpus with training examples and labels.", lambda: _check_corpus(spec))
    checks.add("ids", "Ids are strings, and distinct within their split.", lambda: _check_ids(spec))
    checks.add("locations", "Every example has a location.", lambda: _check_locations(spec))
    checks.add(
        "deterministic",
        "Loading twice gives the same corpus; nothing is random.",
        lambda: _check_deterministic(spec),
    )
    checks.add(
        "additional-files",
        "`list_additional_files` returns files and folders that exist.",
        lambda: _check_additional_files(spec),
    )
    files = [path for _, path, is_file in input_paths(spec) if is_file]
    if files:
        checks.add(
            "missing-file", "A missing file raises an `MtlError` with its name.", lambda: _check_missing_file(spec)
        )
    else:
        checks.skip("missing-file", "no key names a file (a key of type `InputFile` does)")
    _add_file_checks(checks, spec, file or (files[0] if files else None), files)
    _add_text_check(checks, spec, text)
    if spec.input_types:
        description = (
            "A row of input columns becomes the input of this row in a file; a missing column is an `MtlError`."
        )
        checks.add("from-row", description, lambda: _check_row(spec))
    else:
        checks.skip("from-row", "the loader declares no input columns")
    return checks.skip_checks(skip)


def _add_file_checks(checks: Checks, spec: LoaderSpec, file: Path | None, files: Sequence[Path]) -> None:
    if type(spec).load_file is LoaderSpec.load_file:
        checks.skip("load-file", "the loader does not read single files")
    elif file is None:
        checks.skip("load-file", "the suite received no `file`, and no key names one")
    else:
        is_declared = any(file.resolve() == path.resolve() for path in files)
        if not is_declared:
            checks.skip("load-file-as-load", f"no key names {file.name}, so `load` may not read it")
        description = "A single file is read as test data, with the same inputs and labels as by `load`."
        checks.add("load-file", description, lambda: _check_single_file(spec, file, is_declared))


def _add_text_check(checks: Checks, spec: LoaderSpec, text: str | None) -> None:
    if type(spec).from_text is LoaderSpec.from_text:
        checks.skip("from-text", "the loader does not read texts")
        return
    if text is None:
        text = "A short text, as a user may type it."
        try:
            spec.from_text(text)
        except MtlError as error:
            checks.skip("from-text", f"refused: {error} (pass another `text` to the suite)")
            return
        except Exception:  # noqa: BLE001,S110  the check raises it again
            pass
    checks.add("from-text", "A text becomes an input of the same type as in files.", lambda: _check_text(spec, text))


def _load(spec: LoaderSpec) -> Corpus:
    corpus = spec.load()
    if not isinstance(corpus, Corpus):
        fail(f"expected a Corpus, found a {type(corpus).__name__}")
    return corpus


def _check_corpus(spec: LoaderSpec) -> None:
    corpus = _load(spec)
    train = corpus.get_row_indices("train")
    expect(len(train), "expected examples of the split 'train', found none")
    expect(corpus.labels, "expected label columns, found none")
    for name, column in corpus.labels.items():
        has_label = any(column[row] is not None for row in train)
        expect(has_label, f"expected a training label in the column '{name}', found none")


def _check_ids(spec: LoaderSpec) -> None:
    corpus = _load(spec)
    seen: set[tuple[str, str]] = set()
    for split_name, example_id in zip(corpus.splits, corpus.ids, strict=True):
        expect(isinstance(example_id, str) and example_id, f"expected ids that are strings, found {example_id!r}")
        expect(
            (split_name, example_id) not in seen,
            f"expected distinct ids, found '{example_id}' twice in the split '{split_name}'",
        )
        seen.add((split_name, example_id))


def _check_locations(spec: LoaderSpec) -> None:
    corpus = _load(spec)
    for location in corpus.locations:
        expect(isinstance(location, str) and location, f"expected a location as a string, found {location!r}")


def _check_deterministic(spec: LoaderSpec) -> None:
    with preserves_rng_state():
        first = _load(spec)
    second = _load(type(spec).model_validate(spec.model_dump(mode="json")))
    for name in ("ids", "splits", "locations", "groups", "sources", "warnings"):
        is_same = list(getattr(first, name)) == list(getattr(second, name))
        expect(is_same, f"expected the same {name} on a second load, found others")
    is_same = [compute_input_key(value) for value in first.inputs] == [
        compute_input_key(value) for value in second.inputs
    ]
    expect(is_same, "expected the same inputs on a second load, found others")
    for kind, one, other in (("labels", first.labels, second.labels), ("weights", first.weights, second.weights)):
        expect(list(one) == list(other), f"expected the same columns of {kind}, found {list(one)} and {list(other)}")
        for name in one:
            is_same = list(map(_build_label_key, one[name])) == list(map(_build_label_key, other[name]))
            expect(is_same, f"expected the same {kind} of '{name}' on a second load")


def _build_label_key(label: object) -> object:
    """Return a key that is equal for equal labels: the pixels of a mask, any other label itself."""
    return compute_input_key(label.array) if isinstance(label, Mask) else label


def _check_additional_files(spec: LoaderSpec) -> None:
    for path in spec.list_additional_files():
        expect(isinstance(path, Path), f"expected paths, found a {type(path).__name__}: {path!r}")
        expect(path.exists(), f"expected a file or folder that exists, found {path}")


def _check_missing_file(spec: LoaderSpec) -> None:
    loc, path, _ = next(entry for entry in input_paths(spec) if entry[2])
    missing_path = path.with_name(f"no-such-{path.name}")
    try:
        spec.model_copy(update=_replace_path(spec, loc, missing_path)).load()
    except MtlError as error:
        expect(missing_path.name in str(error), f"expected a message that contains {missing_path.name}, found: {error}")
        return
    fail(f"expected an MtlError, since {missing_path.name} does not exist, found that it loads")


def _replace_path(spec: LoaderSpec, loc: tuple[int | str, ...], path: Path) -> dict[str, Any]:
    """Return a key and its value with one path replaced."""
    key, *rest = loc
    value = getattr(spec, str(key))
    if rest:
        value = value.copy()
        value[rest[0]] = path
        return {str(key): value}
    return {str(key): path}


def _check_single_file(spec: LoaderSpec, file: Path, is_declared: bool) -> None:
    corpus = _load(spec)
    file_corpus = spec.load_file(file, list(corpus.labels))
    expect(len(file_corpus), f"expected examples in {file.name}, found none")
    split_names = sorted(set(file_corpus.splits))
    expect(split_names == ["test"], f"expected a single file to be test data, found the splits {split_names}")
    if not is_declared:
        return
    corpus_labels, file_labels = _collect_labels(corpus), _collect_labels(file_corpus)
    n_unknown = len(file_labels.keys() - corpus_labels.keys())
    expect(not n_unknown, f"expected the inputs that `load` reads from {file.name}, found {n_unknown} others")
    for key, labels in file_labels.items():
        for column in corpus.labels.keys() & file_corpus.labels.keys():
            one, other = labels[column], corpus_labels[key][column]
            expect(one <= other, f"expected the label of '{column}' that `load` reads, found {one} and {other}")


def _collect_labels(corpus: Corpus) -> dict[Hashable, dict[str, set[Label | None]]]:
    """Return the labels of every distinct input, per column."""
    labels_by_input: dict[Hashable, dict[str, set[Label | None]]] = {}
    for row, value in enumerate(corpus.inputs):
        labels = labels_by_input.setdefault(compute_input_key(value), {name: set() for name in corpus.labels})
        for name, column in corpus.labels.items():
            label = column[row]
            labels[name].add(tuple(label) if isinstance(label, list) else label)
    return labels_by_input


def _check_text(spec: LoaderSpec, text: str) -> None:
    parsed, example = spec.from_text(text), _load(spec).inputs[0]
    has_same_type = isinstance(parsed, type(example)) or (
        isinstance(parsed, np.ndarray) and isinstance(example, np.ndarray)
    )
    if isinstance(example, np.ndarray) and example.dtype == np.uint8 and example.ndim == 3:
        has_same_type |= isinstance(parsed, str)  # an encoder that reads pixels reads paths of images, too
    expect(has_same_type, f"expected an input of the type {type(example).__name__}, found a {type(parsed).__name__}")


def _check_row(spec: LoaderSpec) -> None:
    example = _load(spec).inputs[0]
    names = list(spec.input_types)
    if not isinstance(example, Mapping) or list(example) != names:
        fail(f"expected inputs with a cell per column of `input_types`, {names}, found {example!r}")
    parsed = spec.from_row({**example, "a column that is no input": 1})
    expect(compute_input_key(parsed) == compute_input_key(example), f"expected {example!r}, found {parsed!r}")
    for name in names:
        try:
            spec.from_row({column: cell for column, cell in example.items() if column != name})
        except MtlError as error:
            expect(name in str(error), f"expected a message that names the missing column '{name}', found: {error}")
            continue
        fail(f"expected an MtlError for a row without the column '{name}'")
