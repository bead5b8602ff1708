"""Soft parameter sharing architectures: cross-stitch networks and multi-gate mixture of experts."""

from pathlib import Path

from mtl_architectures.cross_stitch import CrossStitch
from mtl_architectures.mmoe import MMoE
from mtl_core import ArchitectureSpec, hookimpl


@hookimpl
def mtl_architectures() -> list[type[ArchitectureSpec]]:
    return [CrossStitch, MMoE]


@hookimpl
def mtl_experiments() -> Path:
    return Path(__file__).parent / "experiments"
