"""Checks of loaders."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.config.paths import input_paths
from mtl_core.data.corpus import Corpus, Label, input_key
from mtl_core.errors import MtlError
from mtl_core.specs import LoaderSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.randomness import left_alone
from mtl_core.testing.spec import spec_checks


def loader_checks(spec: LoaderSpec, file: Path | None, text: str | None, without: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.loader_checks`."""
    checks = spec_checks(spec)
    checks.add("corpus", "It returns a Corpus with training examples and labels.", lambda: _corpus(spec))
    checks.add("ids", "Ids are strings, and distinct within their split.", lambda: _ids(spec))
    checks.add("origins", "Every example has a location.", lambda: _origins(spec))
    checks.add("repeats", "Loading twice gives the same corpus; nothing is random.", lambda: _repeats(spec))
    files = [path for _, path, is_file in input_paths(spec) if is_file]
    if files:
        checks.add("missing-file", "A missing file raises an `MtlError` with its name.", lambda: _missing(spec))
    else:
        checks.leave_out("missing-file", "no key names a file (a key of type `InputFile` does)")
    _add_single(checks, spec, file or (files[0] if files else None), files)
    _add_text(checks, spec, text)
    return checks.without(without)


def _add_single(checks: Checks, spec: LoaderSpec, file: Path | None, files: Sequence[Path]) -> None:
    if type(spec).load_file is LoaderSpec.load_file:
        checks.leave_out("load-file", "the loader does not read single files")
    elif file is None:
        checks.leave_out("load-file", "the suite received no `file`, and no key names one")
    else:
        own = any(file.resolve() == one.resolve() for one in files)
        if not own:
            checks.leave_out("load-file-as-load", f"no key names {file.name}, so `load` may not read it")
        what = "A single file is read as test data, with the same inputs and labels as by `load`."
        checks.add("load-file", what, lambda: _single(spec, file, own))


def _add_text(checks: Checks, spec: LoaderSpec, text: str | None) -> None:
    if type(spec).from_text is LoaderSpec.from_text:
        checks.leave_out("from-text", "the loader does not read texts")
        return
    if text is None:
        text = "A short text, as a user may type it."
        try:
            spec.from_text(text)
        except MtlError as error:
            checks.leave_out("from-text", f"refused: {error} (pass another `text` to the suite)")
            return
        except Exception:  # noqa: BLE001,S110  the check raises it again
            pass
    checks.add("from-text", "A text becomes an input of the same type as in files.", lambda: _text(spec, text))


def _loaded(spec: LoaderSpec) -> Corpus:
    corpus = spec.load()
    if not isinstance(corpus, Corpus):
        fail(f"expected a Corpus, found a {type(corpus).__name__}")
    return corpus


def _corpus(spec: LoaderSpec) -> None:
    corpus = _loaded(spec)
    train = corpus.rows("train")
    expect(len(train), "expected examples of the split 'train', found none")
    expect(corpus.labels, "expected label columns, found none")
    for name, column in corpus.labels.items():
        held = any(column[row] is not None for row in train)
        expect(held, f"expected a training label in the column '{name}', found none")


def _ids(spec: LoaderSpec) -> None:
    corpus = _loaded(spec)
    seen: set[tuple[str, str]] = set()
    for part, name in zip(corpus.parts, corpus.ids, strict=True):
        expect(isinstance(name, str) and name, f"expected ids that are strings, found {name!r}")
        expect((part, name) not in seen, f"expected distinct ids, found '{name}' twice in the split '{part}'")
        seen.add((part, name))


def _origins(spec: LoaderSpec) -> None:
    corpus = _loaded(spec)
    for origin in corpus.origins:
        expect(isinstance(origin, str) and origin, f"expected a location as a string, found {origin!r}")


def _repeats(spec: LoaderSpec) -> None:
    with left_alone():
        first = _loaded(spec)
    again = _loaded(type(spec).model_validate(spec.model_dump(mode="json")))
    for name in ("ids", "parts", "origins", "groups", "sources", "findings"):
        same = list(getattr(first, name)) == list(getattr(again, name))
        expect(same, f"expected the same {name} on a second load, found others")
    same = [input_key(value) for value in first.inputs] == [input_key(value) for value in again.inputs]
    expect(same, "expected the same inputs on a second load, found others")
    for kind, one, other in (("labels", first.labels, again.labels), ("weights", first.weights, again.weights)):
        expect(
            list(one) == list(other), f"expected the same columns of {kind}, found {list(one)} and {list(other)}"
        )
        for name in one:
            expect(list(one[name]) == list(other[name]), f"expected the same {kind} of '{name}' on a second load")


def _missing(spec: LoaderSpec) -> None:
    loc, path, _ = next(found for found in input_paths(spec) if found[2])
    gone = path.with_name(f"no-such-{path.name}")
    try:
        spec.model_copy(update=_changed(spec, loc, gone)).load()
    except MtlError as error:
        expect(gone.name in str(error), f"expected a message that contains {gone.name}, found: {error}")
        return
    fail(f"expected an MtlError, since {gone.name} does not exist, found that it loads")


def _changed(spec: LoaderSpec, loc: tuple[int | str, ...], path: Path) -> dict[str, Any]:
    """Return a key and its value with one path replaced."""
    key, *rest = loc
    value = getattr(spec, str(key))
    if rest:
        value = value.copy()
        value[rest[0]] = path
        return {str(key): value}
    return {str(key): path}


def _single(spec: LoaderSpec, file: Path, own: bool) -> None:
    whole = _loaded(spec)
    single = spec.load_file(file, list(whole.labels))
    expect(len(single), f"expected examples in {file.name}, found none")
    parts = sorted(set(single.parts))
    expect(parts == ["test"], f"expected a single file to be test data, found the splits {parts}")
    if not own:
        return
    known, found = _labels_of(whole), _labels_of(single)
    strange = len(found.keys() - known.keys())
    expect(not strange, f"expected the inputs that `load` reads from {file.name}, found {strange} others")
    for key, labels in found.items():
        for column in whole.labels.keys() & single.labels.keys():
            one, other = labels[column], known[key][column]
            expect(one <= other, f"expected the label of '{column}' that `load` reads, found {one} and {other}")


def _labels_of(corpus: Corpus) -> dict[Hashable, dict[str, set[Label | None]]]:
    """Return the labels of every distinct input, per column."""
    found: dict[Hashable, dict[str, set[Label | None]]] = {}
    for row, value in enumerate(corpus.inputs):
        labels = found.setdefault(input_key(value), {name: set() for name in corpus.labels})
        for name, column in corpus.labels.items():
            label = column[row]
            labels[name].add(tuple(label) if isinstance(label, list) else label)
    return found


def _text(spec: LoaderSpec, text: str) -> None:
    found, example = spec.from_text(text), _loaded(spec).inputs[0]
    alike = isinstance(found, type(example)) or (isinstance(found, np.ndarray) and isinstance(example, np.ndarray))
    expect(alike, f"expected an input of the type {type(example).__name__}, found a {type(found).__name__}")
