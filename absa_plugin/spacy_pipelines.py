"""Loading of spaCy pipelines for their tokenizers and vectors."""

from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.language import Language

from mtl_core import MtlError, did_you_mean, join_names


def load_pipeline(name: str) -> Language:
    """Load a pipeline without its trained components, for tokens and vectors.

    Args:
        name: An installed pipeline, a folder, or `blank:LANGUAGE`.

    Raises:
        MtlError: If the pipeline does not exist or cannot be loaded.
    """
    return _load_without(name, _UNUSED_TABLES)


def load_tokenizer(name: str) -> Language:
    """Load a pipeline without its vectors, for tokens only, in a third of the time; see `load_pipeline`."""
    return _load_without(name, [*_UNUSED_TABLES, "vectors"])


def _load_without(name: str, tables: Sequence[str]) -> Language:
    if name.startswith("blank:"):
        try:
            return spacy.blank(name.removeprefix("blank:"))
        except ImportError as error:
            raise MtlError(f"encoder.pipeline: spaCy has no language '{name.removeprefix('blank:')}'") from error
    path = Path(name).expanduser()
    is_path = path.is_dir() or "/" in name or "\\" in name
    if is_path and not (path / "config.cfg").is_file():
        raise MtlError(f"encoder.pipeline: {name} is not the folder of a spaCy pipeline (it has no config.cfg)")
    try:
        components = _read_components(path) if is_path else []
        nlp = spacy.load(path if is_path else name, exclude=[*(components or _STANDARD_COMPONENTS), *tables])
    except (OSError, ValueError, KeyError) as error:
        installed = sorted(spacy.util.get_installed_models())
        raise MtlError(
            f"encoder.pipeline: the spaCy pipeline '{name}' cannot be loaded{did_you_mean(name, installed)} "
            f"(installed: {join_names(installed)}; install one with `python -m spacy download {name}`, "
            "or use blank:en)"
        ) from error
    return nlp


_STANDARD_COMPONENTS = ["tok2vec", "transformer", "tagger", "morphologizer", "parser", "senter", "ner",
                        "attribute_ruler", "lemmatizer", "textcat"]  # fmt: skip


_UNUSED_TABLES = ["strings", "lookups"]
"""Vectors are looked up by hash. The strings of all hashes would take 160 MB and half a second (en_core_web_md)."""


def _read_components(path: Path) -> list[str]:
    config = spacy.util.load_config(path / "config.cfg")
    return list(config["components"])
