"""spaCy pipelines that tests share: the rules of a tokenizer alone take 0.2 s, longer than many a training."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import spacy

_pipelines: dict[str, Any] = {}


@contextlib.contextmanager
def share_pipelines() -> Iterator[None]:
    """Load each pipeline once per process. Not for tests of loading and unloading: no pipeline is ever new."""
    with patch.object(spacy, "blank", _share(spacy.blank)), patch.object(spacy, "load", _share(spacy.load)):
        yield


def _share(load: Callable[..., Any]) -> Callable[..., Any]:
    def load_once(*arguments: Any, **options: Any) -> Any:
        key = f"{load.__name__} {arguments} {options}"
        if key not in _pipelines:
            _pipelines[key] = load(*arguments, **options)
        return _pipelines[key]

    load_once.__name__ = load.__name__
    return load_once
