"""Architectures that learn what tasks share: cross-stitch networks, mixtures of experts, attention, selected blocks."""

from pathlib import Path

from mtl_architectures.adashare import AdaShare
from mtl_architectures.cgc import CGC, PLE
from mtl_architectures.cross_stitch import CrossStitch
from mtl_architectures.dselect_k import DSelectK
from mtl_architectures.mmoe import MMoE
from mtl_architectures.mtan import MTAN
from mtl_core import ArchitectureSpec, hookimpl


@hookimpl
def mtl_architectures() -> list[type[ArchitectureSpec]]:
    return [CrossStitch, MMoE, CGC, PLE, DSelectK, MTAN, AdaShare]


@hookimpl
def mtl_experiments() -> Path:
    return Path(__file__).parent / "experiments"
