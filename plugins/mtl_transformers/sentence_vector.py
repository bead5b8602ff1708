"""The auxiliary task of saying what a transformer makes of the whole text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import AuxiliarySpec, default_type
from mtl_core.builtins.task_kinds.regression import Regression
from mtl_core.config.seam_fields import HeadField
from mtl_core.data.auxiliary import AuxiliaryTask
from mtl_transformers.licence import model_licence
from mtl_transformers.model_name import DEFAULT_MODEL, ModelName, check_installed

if TYPE_CHECKING:
    from mtl_core import AuxiliaryData


class SentenceVector(AuxiliarySpec):
    """Distillation: the vector that a frozen transformer makes of the whole text, the mean over its words.

    A small network learns from a large one what sentences mean, beside what its labels say (as the hints of Romero
    et al., 2015). The transformer is asked once for each text while the data is prepared, and never again.
    """

    type: Literal["sentence-vector"] = "sentence-vector"
    model: ModelName = DEFAULT_MODEL
    """`all-minilm-l6-v2` (installed with the extra), a folder (`./my-model`), or a name on the Hugging Face hub."""
    dimensions: PositiveInt = 64
    """Numbers to learn: the first principal components over the training texts, on average of variance 1."""
    max_tokens: Annotated[int, Field(ge=4)] = 128
    """Where longer texts are cut: pieces, the model's own marks among them."""
    cache: Path | bool = True
    """Keep what the model said in the user's cache folder, or in this one; `false` keeps nothing."""
    head: HeadField = default_type("linear")
    """Learns them."""

    def licence_notes(self) -> Sequence[str]:
        """Say what the model states of its weights."""
        return model_licence(self.model)

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Ask the transformer about every text.

        Raises:
            MtlError: If the extra is not installed, there is no such model, or inputs are no texts.
        """
        check_installed("auxiliary", self.type, "transformers", "tokenizers")
        from mtl_transformers.features import TransformerFeatures
        from mtl_transformers.text_vectors import principal_components, text_vectors

        encoder = TransformerFeatures(model=self.model, max_tokens=self.max_tokens, cache=self.cache).build()
        vectors = text_vectors(encoder, data.corpus.inputs)
        labels = principal_components(vectors, data.train, self.dimensions)
        kind = Regression(outputs=labels.shape[1], standardise=False)
        return [AuxiliaryTask(self.task_name, kind, self.head, labels.tolist())]
