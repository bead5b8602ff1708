"""From a config to everything that training needs: data read, split, encoded; tasks made ready."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig, NamedTask
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder
from mtl_core.data.splitting import Split, split_corpus
from mtl_core.data.tasks import resolve_tasks
from mtl_core.errors import MtlError, listed
from mtl_core.model.network import MultiTaskNetwork, build_backbone
from mtl_core.seeding import derive_seed
from mtl_core.training.batches import Examples
from mtl_core.training.groups import LearnedTask, TaskGroup, group_tasks, learn_task


@dataclass(frozen=True)
class Prepared:
    """A run's data and tasks, ready for training.

    Attributes:
        corpus: The examples.
        split: Which of them are for what.
        encoder: Fitted on the training inputs.
        tasks: The tasks, in the experiment's order.
        groups: The same tasks, like ones together.
        examples: Items and targets of all examples.
        findings: What the user should know about the data.
        load_s: Seconds spent reading and splitting.
        encode_s: Seconds spent encoding.
    """

    corpus: Corpus
    split: Split
    encoder: Encoder[Any, Any]
    tasks: Sequence[LearnedTask]
    groups: Sequence[TaskGroup]
    examples: Examples
    findings: Sequence[str]
    load_s: float
    encode_s: float


def prepare(config: ExperimentConfig) -> Prepared:
    """Read, parse, split, fit, encode.

    Raises:
        MtlError: If the data does not fit the experiment.
    """
    start = perf_counter()
    corpus = config.data.load()
    if not len(corpus):
        raise MtlError(f"the loader '{config.data.type}' found no example")
    columns = _trainable_columns(corpus)
    if not columns:
        raise MtlError("no training example has any label" + _empty_columns(corpus))
    declared = resolve_tasks(config.tasks, columns)
    load_s = perf_counter() - start

    start = perf_counter()
    encoder = config.encoder.build()
    parsed = parse_distinct(encoder, corpus)
    encode_s = perf_counter() - start

    start = perf_counter()
    usable, findings = _usable(corpus, declared, encoder, parsed)
    columns = list(dict.fromkeys(task.column for task in declared))
    split = split_corpus(corpus, usable, columns, config.split, derive_seed(config.seed, "split"))
    findings = [*corpus.findings, *findings, *_overlap(corpus, split)]
    load_s += perf_counter() - start

    start = perf_counter()
    fitted = _fit(corpus, declared, encoder, parsed, split)
    return Prepared(corpus, split, encoder, *fitted, findings, load_s, encode_s + perf_counter() - start)


def refit_all(config: ExperimentConfig, prepared: Prepared) -> Prepared:
    """Prepare the same data again with validation data counted as training data."""
    split = prepared.split
    merged = replace(
        split,
        train=np.sort(np.concatenate([split.train, split.validation])),
        validation=np.zeros(0, dtype=np.int64),
    )
    encoder = config.encoder.build()
    parsed = parse_distinct(encoder, prepared.corpus)
    declared = [task.declared for task in prepared.tasks]
    fitted = _fit(prepared.corpus, declared, encoder, parsed, merged)
    return Prepared(
        prepared.corpus, merged, encoder, *fitted, prepared.findings, prepared.load_s, prepared.encode_s
    )


def build_network(
    config: ExperimentConfig, encoder: Encoder[Any, Any], groups: Sequence[TaskGroup]
) -> MultiTaskNetwork:
    """Build a network with initial weights drawn from the run's seed."""
    torch.manual_seed(derive_seed(config.seed, "init"))
    input_layer = encoder.input_layer()
    backbone = build_backbone(config.backbone, input_layer.output)  # type: ignore[arg-type]
    return MultiTaskNetwork(input_layer, backbone, [group.build_heads(backbone.output) for group in groups])  # type: ignore[arg-type]


def parse_distinct(encoder: Encoder[Any, Any], corpus: Corpus) -> list[Any]:
    """Parse every distinct input once; equal inputs share the result."""
    first: dict[Any, int] = {}
    distinct: list[object] = []
    where = []
    for value in corpus.inputs:
        key = value if isinstance(value, str) else id(value)
        if key not in first:
            first[key] = len(distinct)
            distinct.append(value)
        where.append(first[key])
    parsed = encoder.parse(distinct)
    return [parsed[index] for index in where]


def encode_targets(corpus: Corpus, groups: Sequence[TaskGroup]) -> list[torch.Tensor]:
    """Turn label columns into target tables; a column that the corpus lacks is missing throughout."""
    empty: list[Label | None] = [None] * len(corpus)
    return [
        group.targets([corpus.labels.get(task.declared.column, empty) for task in group.tasks], corpus.origins)
        for group in groups
    ]


def _fit(
    corpus: Corpus, declared: Sequence[NamedTask], encoder: Encoder[Any, Any], parsed: Sequence[Any], split: Split
) -> tuple[list[LearnedTask], list[TaskGroup], Examples]:
    known = np.concatenate([split.train, split.validation])
    tasks = [
        learn_task(
            task,
            (corpus.labels[task.column][row] for row in known),
            (corpus.labels[task.column][row] for row in split.train),
        )
        for task in declared
    ]
    groups = group_tasks(tasks)
    encoder.fit([parsed[row] for row in split.train])
    return tasks, groups, Examples(encoder, encoder.encode(parsed), encode_targets(corpus, groups))


def _trainable_columns(corpus: Corpus) -> list[str]:
    """Label columns that hold something in training data."""
    rows = corpus.rows("train")
    return [name for name, column in corpus.labels.items() if any(column[row] is not None for row in rows)]


def _empty_columns(corpus: Corpus) -> str:
    if not corpus.rows("train"):
        return (
            f": the loader put no example into the part 'train' (parts found: {listed(sorted(set(corpus.parts)))})"
        )
    return f" (label columns: {listed(corpus.labels)})"


def _usable(
    corpus: Corpus, declared: Sequence[NamedTask], encoder: Encoder[Any, Any], parsed: Sequence[Any]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Set aside training examples that nothing can be learned from, and say so."""
    rows = corpus.rows("train")
    labelled = _has_label(corpus, declared)
    empty = np.array([encoder.is_empty(value) for value in parsed], dtype=bool)
    findings = []
    hollow = [corpus.ids[row] for row in rows if empty[row]]
    if hollow:
        findings.append(
            f"{len(hollow)} training examples have nothing left to encode and are set aside ({listed(hollow, 5)})"
        )
    bare = [corpus.ids[row] for row in rows if not labelled[row]]
    if bare:
        findings.append(
            f"{len(bare)} training examples have no label for any task and are set aside ({listed(bare, 5)})"
        )
    return labelled & ~empty, findings


def _has_label(corpus: Corpus, declared: Sequence[NamedTask]) -> NDArray[np.bool_]:
    result = np.zeros(len(corpus), dtype=bool)
    for task in declared:
        excluded = task.mask.excluded()
        column = corpus.labels[task.column]
        result |= np.array([label is not None and str(label) not in excluded for label in column], dtype=bool)
    return result


def _overlap(corpus: Corpus, split: Split) -> list[str]:
    """Tell about inputs that stand in training data and, by the data's own division, elsewhere too."""
    known = {corpus.groups[row] for row in (*split.train, *split.validation)}
    shared = [corpus.ids[row] for row in split.test if corpus.groups[row] in known]
    if not shared:
        return []
    return [
        f"{len(shared)} test examples have an input that also stands in the training data ({listed(shared, 5)})"
    ]
