"""Tagging words with a spaCy pipeline."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from mtl_core import MtlError
from mtl_core.errors import did_you_mean, listed

NOT_NEEDED = ["parser", "senter", "ner", "entity_linker", "entity_ruler", "lemmatizer", "textcat"]
"""Components that come after the tagger in spaCy's own pipelines and take most of the time."""
MAX_WORDS = 5_000
"""Words that are tagged together; a longer input is tagged in pieces, so that memory is bounded."""


def tag_words(pipeline: str, texts: Iterable[list[str]], fine: bool) -> list[list[str]]:
    """Tag words that are divided already.

    Args:
        pipeline: An installed pipeline, or a folder.
        texts: The words of each input.
        fine: Whether the tagger's own tags are wanted, or the universal ones.

    Returns:
        A tag a word, empty where the pipeline has none for it.

    Raises:
        MtlError: If the pipeline cannot be loaded or has no tagger.
    """
    nlp = load_tagger(pipeline)
    attribute = "tag_" if fine else "pos_"
    owners: list[int] = []
    tagged: list[list[str]] = []

    def docs() -> Iterator[Doc]:
        for words in texts:
            tagged.append([])
            for start in range(0, len(words), MAX_WORDS):
                owners.append(len(tagged) - 1)
                # spaCy refuses an empty word
                yield Doc(nlp.vocab, words=[word or " " for word in words[start : start + MAX_WORDS]])

    for place, doc in enumerate(nlp.pipe(docs())):
        tagged[owners[place]] += [getattr(token, attribute) for token in doc]
    if not any(tag for tags in tagged for tag in tags):
        raise MtlError(
            f"pipeline: '{pipeline}' gives no {'fine' if fine else 'coarse'} tags (its components: "
            f"{listed(nlp.pipe_names)}); part-of-speech tags need a pipeline with a tagger, such as en_core_web_md"
        )
    return tagged


def load_tagger(name: str) -> Language:
    """Load a pipeline but for what tags do not need.

    Raises:
        MtlError: If there is no such pipeline.
    """
    path = Path(name).expanduser()
    is_path = path.is_dir() or "/" in name or "\\" in name
    if is_path and not (path / "config.cfg").is_file():
        raise MtlError(f"pipeline: {name} is not the folder of a spaCy pipeline (it has no config.cfg)")
    if name.startswith("blank:"):
        raise MtlError(
            f"pipeline: '{name}' has no tagger; part-of-speech tags need a trained pipeline, such as en_core_web_md"
        )
    try:
        return spacy.load(path if is_path else name, exclude=NOT_NEEDED)
    except (OSError, ValueError, KeyError) as error:
        installed = sorted(spacy.util.get_installed_models())
        raise MtlError(
            f"pipeline: the spaCy pipeline '{name}' cannot be loaded{did_you_mean(name, installed)} "
            f"(installed: {listed(installed)}; install one with `python -m spacy download {name}`)"
        ) from error
