"""Specs of the data: loaders, splitters, encoders, sampling strategies."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mtl_core.errors import MtlError
from mtl_core.plugins.extension_points import spec_base
from mtl_core.plugins.spec import Layout, Spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data.corpus import Corpus
    from mtl_core.data.encoder import Encoder
    from mtl_core.data.metadata import ExampleMetadata
    from mtl_core.data.splitting import SplitUnits


@spec_base("loaders")
class LoaderSpec(Spec):
    """Spec of a loader, which reads files into a `Corpus`."""

    reads_json_lines: ClassVar[bool] = False
    """Whether `load_file` reads `.jsonl` files. `mtl predict` reads objects with a `text` without it."""
    default_encoders: ClassVar[Mapping[str, str]] = {}
    """Key of the block to encoder type: an experiment without `encoder:` has this encoder if the block has the key."""
    sample_texts: ClassVar[Sequence[str]] = ()
    """Example texts for the page of `mtl serve`; if empty, texts of the run's predictions are shown."""

    @abstractmethod
    def load(self) -> Corpus:
        """Read all files that this block names.

        Raises:
            MtlError: If a file is missing or malformed; the message names file, line and example.
        """

    def resolve_inputs(self) -> LoaderSpec:
        """Return a loader that names its input columns instead of selecting them by patterns.

        A run saves it, so that it reads the same columns in the same order from every other file. By default, this
        loader is returned.

        Raises:
            MtlError: If a pattern matches no column.
        """
        return self

    def list_additional_files(self) -> Sequence[Path]:
        """Return the files and folders that `load` reads besides those that keys of the block name.

        Keys of the types `InputFile` and `InputPath` declare their files themselves. A run records the size and the
        SHA-256 digest of all of them in `provenance.json`, and cannot be resumed after one has changed. An example
        is an index file next to the file that a key names; a file that is part of the plugin is another.
        """
        return ()

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read another file of the same format, labelled or not, as test data.

        Args:
            path: The file.
            columns: The label columns of the run. The file may have other columns, or none of these.

        Raises:
            MtlError: If this loader has no single-file format, or the file is missing or malformed.
        """
        raise MtlError(f"the loader '{self.type}' cannot read a single file such as {path}")

    def add_label_columns(self, columns: Sequence[str]) -> LoaderSpec:
        """Return a loader that also reads these label columns; `mtl extend` adds tasks with it.

        By default, all label columns are read already. Columns that the files lack are reported by `load`.

        Args:
            columns: The label columns of the added tasks.
        """
        return self

    def replace_training_file(self, path: Path, columns: Sequence[str]) -> LoaderSpec:
        """Return a loader that reads one training file of the same format, for `mtl extend --data FILE`.

        Args:
            path: The file.
            columns: The label columns to read; other columns are ignored.

        Raises:
            MtlError: If this loader does not read training examples from a single file.
        """
        raise MtlError(
            f"the loader '{self.type}' cannot read training examples from a single file such as {path}; new labels "
            "must be in the data of the run"
        )

    @property
    def input_types(self) -> Mapping[str, str]:
        """The type of each input column (`text`, `number`, `category`, ...), if inputs are rows of cells by column.

        An experiment without `encoder:` encodes each column by the default encoder of its type.
        """
        return {}

    def from_row(self, row: Mapping[str, object]) -> object:
        """Convert a row into an input: a row of a CSV file, a JSON object, a row of a DataFrame.

        Args:
            row: Cells by column. Columns that are no inputs are ignored.

        Raises:
            MtlError: If this loader's inputs are no rows, a column is missing, or a cell is invalid.
        """
        raise MtlError(f"the loader '{self.type}' does not read rows, so this run cannot predict from rows of cells")

    def from_text(self, text: str) -> object:
        """Convert a text, as typed or read from a line of a file, into an input.

        Raises:
            MtlError: If this loader's inputs are not texts.
        """
        raise MtlError(f"the loader '{self.type}' does not read texts, so this run cannot predict from text")


@spec_base("splitters")
class SplitterSpec(Spec):
    """Spec of a splitter, which splits units (examples, with identical inputs merged)."""

    @property
    def replaces_test(self) -> bool:
        """Whether its test split replaces the test split that the data itself declares."""
        return False

    @abstractmethod
    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Assign each unit to a split.

        Args:
            units: The units to split.
            seed: The only source of randomness; the global random state must not change.

        Returns:
            Shape `(units,)`: 0 for training, 1 for validation, 2 for test.
        """

    def find_leaks(self, train: ExampleMetadata, held_out: ExampleMetadata) -> NDArray[np.bool_]:
        """Find the training examples that this splitter would not put on the other side of held-out examples.

        They are searched among training examples that it does not split: those that only auxiliary tasks use (they
        are dropped), and those next to validation and test data that the data defines (a warning counts them). By
        default there are none.

        Args:
            train: The metadata of training examples.
            held_out: The metadata of validation or test examples.

        Returns:
            Shape `(training examples,)`: whether the example leaks information about a held-out one.
        """
        import numpy as np

        return np.zeros(len(train), dtype=np.bool_)

    def describe_leak(self, held_out: str) -> str:
        """Return what is wrong with examples that `find_leaks` found, as the end of the sentence "They are …".

        Args:
            held_out: The name of the held-out split.
        """
        return f"connected to {held_out} examples"

    def build_fold_keys(self) -> dict[str, object]:
        """Return keys of the splitter `k-fold`, which replaces this one in a cross-validation.

        Raises:
            MtlError: If folds contradict what this splitter promises.
        """
        return {}


@spec_base("encoders")
class EncoderSpec(Spec):
    """Spec of an encoder, which converts raw inputs into the inputs of the backbone."""

    layout: ClassVar[Layout | None] = None
    """The layout of the features of its input layer; None for unknown. A known layout lets `mtl validate` refuse a
    backbone that does not read it without reading the data."""

    @abstractmethod
    def build(self) -> Encoder[Any, Any]:
        """Build an encoder that is not fitted yet."""


@spec_base("samplings")
class SamplingSpec(Spec):
    """Spec of a sampling strategy, which chooses the data set of the next batch."""

    @abstractmethod
    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Return the share of the draws of each data set; shares are normalised to a sum of 1.

        Args:
            batches: The number of training batches of each data set.
            progress: The progress of the run, from 0 (first step) to 1 (last step).
        """

    def choose_data_sets(self, batches: Sequence[int], steps: range, total: int, seed: int) -> NDArray[np.int64]:
        """Choose the data set of the batch of each step.

        The drawn shares follow `compute_shares` at all times (they differ by about one draw per data set at the end
        of each window of draws), and the order within a window is random.

        Args:
            batches: The number of training batches of each data set; their sum is the number of steps per epoch.
            steps: The steps, counted from the first step of the run.
            total: The number of steps of the whole run.
            seed: The only source of randomness.

        Returns:
            Shape `(len(steps),)`: indices into `batches`.
        """
        from mtl_core.plugins.quota_sampling import draw_by_quota

        return draw_by_quota(lambda progress: self.compute_shares(batches, progress), batches, steps, total, seed)
