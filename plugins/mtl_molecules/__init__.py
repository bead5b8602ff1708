"""Molecules: a loader of SMILES, fingerprints and descriptors of RDKit, scaffold splits, experiments."""

from pathlib import Path

from mtl_core import EncoderSpec, LoaderSpec, SplitterSpec, hookimpl
from mtl_molecules.descriptors import Descriptors
from mtl_molecules.molecules import Molecules
from mtl_molecules.morgan import Morgan
from mtl_molecules.scaffold_split import ScaffoldSplit


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [Molecules]


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [Morgan, Descriptors]


@hookimpl
def mtl_splitters() -> list[type[SplitterSpec]]:
    return [ScaffoldSplit]


@hookimpl
def mtl_experiments() -> Path:
    return Path(__file__).parent / "experiments"
