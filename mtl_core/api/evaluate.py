"""Evaluation of a run on a table in memory."""

from __future__ import annotations

from typing import Any

from mtl_core.api.metrics import MetricTable
from mtl_core.data.memory_tables import MemoryTables
from mtl_core.data.python_tables import read_columns
from mtl_core.errors import MtlError
from mtl_core.plugins.active_registry import get_registry
from mtl_core.runs.evaluate import evaluate_corpus
from mtl_core.runs.result_files import build_scores_report
from mtl_core.runs.saved_run import SavedRun

SPLIT_NAME = "data"
"""The name of the split in the table of metrics."""


def evaluate_table(saved_run: SavedRun, table: Any) -> MetricTable:
    """Compute the metrics of a run on a table; see `Run.evaluate`."""
    loader = saved_run.get_loader()
    if not loader.input_types:
        raise MtlError(
            f"evaluate: the loader '{loader.type}' of this run reads no columns; `mtl evaluate RUN --data FILE` reads "
            "files of its format"
        )
    columns = read_columns(table)
    block = {
        "inputs": dict(loader.input_types),
        "labels": [name for name in saved_run.label_columns if name in columns],
        "missing": getattr(loader, "missing", [""]),
        "tables": MemoryTables({"test": columns}),
    }
    memory: Any = get_registry(None).find("loaders", "memory").model_validate({"type": "memory", **block})
    evaluation = evaluate_corpus(saved_run, memory.load(), "the table")
    return MetricTable.from_json({"splits": {SPLIT_NAME: build_scores_report(evaluation.scores)}})
