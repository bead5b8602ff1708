"""Load the data sets of an experiment into one corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.column_operations import build_missing_column, concatenate_columns
from mtl_core.data.columns import CategoricalColumn
from mtl_core.data.corpus import Corpus, Label, Span
from mtl_core.data.stored_inputs import ConcatenatedInputs, StoredInputs
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.specs import LoaderSpec


def load_sources(sources: Mapping[str, LoaderSpec]) -> Corpus:
    """Load every data set and concatenate them.

    Identical inputs are never divided between training and validation, neither within nor across data sets.

    Args:
        sources: Mapping of data set name to loader.

    Raises:
        MtlError: If a loader loads no example, or if a file is missing or malformed.
    """
    has_several = len(sources) > 1
    corpora = {}
    for name, loader in sources.items():
        try:
            corpus = loader.load()
        except MtlError as error:
            if not has_several:
                raise
            raise MtlError(f"data set '{name}': {error}") from error
        if not isinstance(corpus, Corpus):
            raise MtlError(f"the loader '{loader.type}' returned a {type(corpus).__name__}, expected a Corpus")
        if not len(corpus):
            prefix = f"data set '{name}': " if has_several else ""
            raise MtlError(f"{prefix}the loader '{loader.type}' found no example")
        corpora[name] = corpus
    return _concatenate(corpora) if has_several else next(iter(corpora.values()))


def resolve_inputs(config: ExperimentConfig) -> ExperimentConfig:
    """Return an experiment whose loaders name their input columns, as a run saves it.

    Raises:
        MtlError: If a pattern of input columns matches none.
    """
    if config.data is not None:
        return config.model_copy(update={"data": config.data.resolve_inputs()})
    data_sets = {name: loader.resolve_inputs() for name, loader in config.data_sets.items()}
    return config.model_copy(update={"data_sets": data_sets})


def _concatenate(corpora: Mapping[str, Corpus]) -> Corpus:
    members = list(corpora.values())
    sizes = [len(corpus) for corpus in members]
    label_names = list(dict.fromkeys(name for corpus in members for name in corpus.labels))
    weight_names = list(dict.fromkeys(name for corpus in members for name in corpus.weights))
    metadata = _concatenate_metadata(corpora)
    span_names = list(dict.fromkeys(name for corpus in members for name in corpus.spans))
    has_stored_inputs = any(isinstance(corpus.inputs, StoredInputs) for corpus in members)
    codes = np.repeat(np.arange(len(members), dtype=np.int16), sizes)
    return Corpus(
        ids=[f"{name}/{example_id}" for name, corpus in corpora.items() for example_id in corpus.ids],
        inputs=ConcatenatedInputs([c.inputs for c in members])
        if has_stored_inputs
        else list(chain(*(c.inputs for c in members))),
        labels={name: concatenate_columns([_get_labels(corpus, name) for corpus in members]) for name in label_names},
        splits=list(chain(*(corpus.splits for corpus in members))),
        locations=list(chain(*(corpus.locations for corpus in members))),
        groups=list(chain(*(corpus.groups for corpus in members))),
        weights={name: list(chain(*(_get_weights(corpus, name) for corpus in members))) for name in weight_names},
        spans={name: list(chain(*(_get_spans(corpus, name) for corpus in members))) for name in span_names},
        metadata=metadata,
        sources=CategoricalColumn(list(corpora), codes),
        disclaimer=" ".join(dict.fromkeys(corpus.disclaimer for corpus in members if corpus.disclaimer)),
        warnings=[f"data set '{name}': {line}" for name, corpus in corpora.items() for line in corpus.warnings],
    )


def _concatenate_metadata(corpora: Mapping[str, Corpus]) -> dict[str, Sequence[object]]:
    """Concatenate the columns of metadata.

    Raises:
        MtlError: If a data set lacks a column that another one has.
    """
    owners = {column: name for name, corpus in reversed(list(corpora.items())) for column in corpus.metadata}
    for name, corpus in corpora.items():
        for column, owner in owners.items():
            if column not in corpus.metadata:
                raise MtlError(
                    f"data set '{name}': no column '{column}' in `metadata`, which data set '{owner}' has"
                    f"{did_you_mean(column, corpus.metadata)} (columns: {join_names(corpus.metadata)})"
                )
    return {column: list(chain(*(corpus.metadata[column] for corpus in corpora.values()))) for column in owners}


def _get_labels(corpus: Corpus, name: str) -> Sequence[Label | None]:
    column = corpus.labels.get(name)
    return build_missing_column(len(corpus)) if column is None else column


def _get_spans(corpus: Corpus, name: str) -> Sequence[Sequence[Span] | None]:
    missing: list[Sequence[Span] | None] = [None] * len(corpus)
    return corpus.spans.get(name, missing)


def _get_weights(corpus: Corpus, name: str) -> Sequence[float]:
    return corpus.weights.get(name, [1.0] * len(corpus))
