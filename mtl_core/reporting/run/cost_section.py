"""The section on time, memory and parameters."""

from mtl_core.reporting.blocks import Cell, Column, Section, Table
from mtl_core.reporting.formatting import format_count, format_duration
from mtl_core.reporting.read_run import RunArtifacts

STAGE_DESCRIPTIONS = {
    "load_s": "loading and splitting the data",
    "encode_s": "encoding",
    "train_s": "training, including validation after each epoch",
    "interactions_s": "measuring task interactions",
    "evaluate_s": "evaluation",
}


def build_cost_section(artifacts: RunArtifacts) -> Section:
    """Build the section on time, memory and parameters."""
    timing = artifacts.timing
    rows = [
        [Cell(description), Cell(format_duration(value))]
        for name, description in STAGE_DESCRIPTIONS.items()
        if (value := getattr(timing, name))
    ]
    throughput = f"{format_count(timing.train_examples_per_s)} examples per second"
    rows.append([Cell("training throughput"), Cell(throughput)])
    if timing.inference_ms is not None:
        rows.append([Cell("inference per example, in one thread"), Cell(f"{timing.inference_ms:.3g} ms")])
    if timing.peak_memory_mb is not None:
        rows.append([Cell("peak memory of the process"), Cell(f"{format_count(timing.peak_memory_mb)} MB")])
    rows.append([Cell("trainable parameters"), Cell(format_count(artifacts.parameters))])
    return Section("cost", "Time and memory", [Table("Resources", [Column("resource", False), Column("amount")], rows)])
