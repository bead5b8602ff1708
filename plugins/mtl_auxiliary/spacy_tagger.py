"""Part-of-speech tagging with a spaCy pipeline."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from mtl_core import MtlError, did_you_mean, join_names

EXCLUDED_COMPONENTS = ["parser", "senter", "ner", "entity_linker", "entity_ruler", "lemmatizer", "textcat"]
"""Components of the standard spaCy pipelines that tags do not need and that need most of the time."""
MAX_WORDS_PER_DOC = 5_000
"""Maximum number of words per `Doc`; longer inputs are split, which bounds memory."""


def tag_words(pipeline: str, texts: Iterable[list[str]], fine: bool) -> list[list[str]]:
    """Tag texts that are already split into words.

    Args:
        pipeline: The name of an installed pipeline, or the path of one.
        texts: The words of each input.
        fine: Whether to return the tags of the pipeline's tagset instead of the universal ones.

    Returns:
        One tag per word of each text; an empty string for a word without a tag.

    Raises:
        MtlError: If the pipeline cannot be loaded or has no tagger.
    """
    nlp = load_tagger(pipeline)
    attribute = "tag_" if fine else "pos_"
    text_indices: list[int] = []
    tags_per_text: list[list[str]] = []

    def iterate_docs() -> Iterator[Doc]:
        for words in texts:
            tags_per_text.append([])
            for start in range(0, len(words), MAX_WORDS_PER_DOC):
                text_indices.append(len(tags_per_text) - 1)
                # spaCy does not accept an empty word
                yield Doc(nlp.vocab, words=[word or " " for word in words[start : start + MAX_WORDS_PER_DOC]])

    for index, doc in enumerate(nlp.pipe(iterate_docs())):
        tags_per_text[text_indices[index]] += [getattr(token, attribute) for token in doc]
    if not any(tag for tags in tags_per_text for tag in tags):
        raise MtlError(
            f"pipeline: '{pipeline}' returns no {'fine' if fine else 'coarse'} tags "
            f"(its components: {join_names(nlp.pipe_names)}); part-of-speech tags need a pipeline "
            "with a tagger, such as en_core_web_md"
        )
    return tags_per_text


def load_tagger(name: str) -> Language:
    """Load a pipeline without the components that tags do not need.

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
        return spacy.load(path if is_path else name, exclude=EXCLUDED_COMPONENTS)
    except (OSError, ValueError, KeyError) as error:
        installed = sorted(spacy.util.get_installed_models())
        raise MtlError(
            f"pipeline: the spaCy pipeline '{name}' cannot be loaded{did_you_mean(name, installed)} "
            f"(installed: {join_names(installed)}; install one with `python -m spacy download {name}`)"
        ) from error
