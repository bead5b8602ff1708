"""The spec of the auxiliary task that predicts a transformer's vector of the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import AuxiliarySpec, AuxiliaryTask, CacheDir, HeadField, Regression, default_type
from mtl_transformers.config_fields import DEFAULT_MODEL, ModelName, require_installed
from mtl_transformers.find_model import describe_model_licence, list_model_packages

if TYPE_CHECKING:
    from mtl_core import AuxiliaryData


class SentenceVector(AuxiliarySpec):
    """Distillation: the text's vector of a frozen transformer, the mean over its words.

    A small network learns the representation of a large one, in addition to its labels (similar to the hints of
    Romero et al., 2015). The transformer runs once per text, during data preparation.
    """

    type: Literal["sentence-vector"] = "sentence-vector"
    model: ModelName = DEFAULT_MODEL
    """`all-minilm-l6-v2` (installed with the extra), a folder (`./my-model`), or a name on the Hugging Face hub."""
    dimensions: PositiveInt = 64
    """Number of targets: principal components over the training texts, scaled to a mean variance of 1."""
    max_tokens: Annotated[int, Field(ge=4)] = 128
    """Maximum number of subwords, including special tokens; longer texts are truncated."""
    cache: CacheDir = True
    """Cache states in the user's cache folder (`true`), in this folder, or not at all (`false`)."""
    head: HeadField = default_type("linear")
    """The head, which predicts the targets."""

    def list_licence_notes(self) -> Sequence[str]:
        """Return the licence note of the model's weights."""
        return describe_model_licence(self.model)

    def list_packages(self) -> Sequence[str]:
        """Return the packages of the model."""
        return (*list_model_packages(self.model),)

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Compute the vector of every text and build the task.

        Raises:
            MtlError: If the extra is not installed, there is no such model, or the inputs are not texts.
        """
        require_installed("auxiliary", self.type, "transformers", "tokenizers")
        from mtl_transformers.sentence_vector_targets import compute_text_vectors, project_to_principal_components
        from mtl_transformers.transformer_features import TransformerFeatures

        encoder = TransformerFeatures(model=self.model, max_tokens=self.max_tokens, cache=self.cache).build()
        vectors = compute_text_vectors(encoder, data.corpus.inputs)
        labels = project_to_principal_components(vectors, data.train_rows, self.dimensions)
        kind = Regression(outputs=labels.shape[1], standardise=False)
        return [AuxiliaryTask(self.task_name, kind, self.head, labels.tolist())]
