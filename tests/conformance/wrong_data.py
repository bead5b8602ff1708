"""A loader, a splitter, an encoder and an auxiliary task: correct, or with the fault that `wrong` names."""

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core import Corpus, EncoderSpec, Features, FeatureShape, InputFile, LoaderSpec, MtlError, SplitterSpec
from mtl_core.builtins.heads.linear import Linear
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from mtl_core.data.columns import UniqueIds
from mtl_core.data.encoder import Encoder
from mtl_core.data.metadata import ExampleMetadata
from mtl_core.data.splitting import SplitUnits
from mtl_core.plugins.specs import AuxiliarySpec

LINES = "good,lovely soup\nbad,grim soup\ngood,lovely bread\nbad,grim bread\n"


class WrongLoader(LoaderSpec):
    """Lines with a label and a text."""

    type: Literal["wrong-loader"] = "wrong-loader"
    train: InputFile
    """The file."""
    wrong: str = ""
    """Its fault."""

    def load(self) -> Corpus:
        return self._read(self.train, "train" if self.wrong != "corpus" else "test")

    def list_additional_files(self) -> Sequence[Path]:
        return [self.train.with_name("no-such-index.txt")] if self.wrong == "additional-files" else []

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        return self._read(path, "train" if self.wrong == "load-file" else "test")

    def _read(self, path: Path, split_name: Any) -> Corpus:
        if not path.is_file():
            raise MtlError("no such file" if self.wrong == "missing-file" else f"{path}: no such file")
        rows = [line.split(",", 1) for line in path.read_text(encoding="utf-8").splitlines()]
        if self.wrong == "deterministic":
            random.shuffle(rows)
        ids: Sequence[str] = [str(row) for row in range(len(rows))]
        return Corpus(
            ids=_EqualIds(len(rows)) if self.wrong == "ids" else ids,
            inputs=[{"text": text} for _, text in rows],
            labels={"opinion": [label for label, _ in rows]},
            splits=[split_name] * len(rows),
            locations=["" for _ in rows] if self.wrong == "locations" else (),
        )

    @property
    def input_types(self) -> Mapping[str, str]:
        return {"text": "text"}

    def from_row(self, row: Mapping[str, object]) -> object:
        if "text" not in row and self.wrong != "from-row":
            raise MtlError("no column 'text'")
        return {"text": row.get("text")}

    def from_text(self, text: str) -> object:
        return text.split() if self.wrong == "from-text" else {"text": text}


class _EqualIds(UniqueIds):
    """Declares distinct ids, which are all equal."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def get_row(self, row: int) -> str:
        return "1"


class WrongSplitter(SplitterSpec):
    """Select every fourth unit of a random order for the validation split."""

    type: Literal["wrong-splitter"] = "wrong-splitter"
    wrong: str = ""
    """Its fault."""

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        if self.wrong == "seed":
            np.random.seed(seed)
        if self.wrong == "units-unchanged":
            units.sizes[:] = 1
        if self.wrong == "no-labels":
            units.indicators.argmax(axis=1)
        if self.wrong == "no-metadata":
            units.metadata.columns["user"]
        parts = np.zeros(len(units), dtype=np.int8)
        parts[np.random.default_rng(seed).permutation(len(units))[::4]] = 3 if self.wrong == "splits" else 1
        return np.ones_like(parts) if self.wrong == "partition" and len(units) == 35 else parts

    def find_leaks(self, train: ExampleMetadata, held_out: ExampleMetadata) -> NDArray[np.bool_]:
        return np.full(len(train), self.wrong == "leaks")


class WrongEncoder(EncoderSpec):
    """Words with an embedding table."""

    type: Literal["wrong-encoder"] = "wrong-encoder"
    wrong: str = ""
    """Its fault."""

    def build(self) -> "_Words":
        return _Words(self.wrong)


class _Words(Encoder[list[str], list[int]]):
    def __init__(self, wrong: str) -> None:
        self.wrong = wrong
        self._words: list[str] = []
        self._is_unloaded = False
        self._n_augmented = 0

    def parse(self, inputs: Sequence[Any]) -> list[list[str]]:
        if self.wrong == "seed":
            np.random.random()
        if self.wrong == "accepts" and not isinstance(inputs[0], str):
            raise AttributeError("no text")
        for value in inputs:
            if not isinstance(value, str) and self.wrong != "invalid-input":
                raise MtlError("texts alone")
        return [str(value).split() for value in inputs]

    def fit(self, parsed: Iterable[list[str]]) -> None:
        if self.wrong == "one-pass":
            len(list(parsed))
        self._words = sorted({word for words in parsed for word in words})

    def encode(self, parsed: Sequence[list[str]]) -> list[list[int]]:
        word_ids = {word: index for index, word in enumerate(self._words, start=2)}
        if self.wrong == "unseen-inputs":
            return [[word_ids[word] for word in words] for words in parsed]
        if self.wrong == "unload" and self._is_unloaded:
            word_ids = {}
        return [[word_ids.get(word, 1) for word in words] or [1] for words in parsed]

    def length(self, item: list[int]) -> int:
        return 1 if self.wrong == "features" else len(item)

    def collate(self, items: Sequence[list[int]]) -> torch.Tensor:
        longest = max(map(len, items))
        return torch.tensor([[*item, *[0] * (longest - len(item))] for item in items])

    def augment(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        self._n_augmented += 1
        return (inputs.clamp(max=1) if self.wrong == "augmentation" and self._n_augmented % 2 else inputs), None

    def input_layer(self) -> nn.Module:
        return _Table(len(self._words) + 2, self.wrong)

    def unload(self) -> None:
        self._is_unloaded = True

    def words(self, parsed: list[str]) -> list[str]:
        return parsed

    def token_to_word(self, parsed: list[str]) -> list[int]:
        return list(range(len(parsed)))[::-1] if self.wrong == "words" else list(range(len(parsed)))

    @property
    def vocabulary(self) -> Sequence[str]:
        return self._words

    def token_ids(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs - 1 if self.wrong == "token-ids" else (inputs - 2).clamp(-1)

    def mask_tokens(self, inputs: torch.Tensor, token_mask: torch.Tensor) -> torch.Tensor:
        return inputs if self.wrong == "mask-tokens" else inputs.masked_fill(token_mask, 1)

    def state(self) -> dict[str, Any]:
        return {"words": self._words}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._words = state["words"][::-1] if self.wrong == "state" else state["words"]


class _Table(nn.Module):
    def __init__(self, rows: int, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong
        self.output = FeatureShape(4, sequence=True)
        self.table = nn.Embedding(rows, 4)
        self.idle = nn.Linear(1, 1) if wrong == "gradients" else None

    def forward(self, inputs: torch.Tensor) -> Features:
        values = self.table(inputs)
        if self.wrong == "padding":
            values = values + inputs.shape[1]
        return Features(values, inputs != 0)


class WrongAuxiliary(AuxiliarySpec):
    """Whether an input is longer than the mean of the training inputs."""

    type: Literal["wrong-auxiliary"] = "wrong-auxiliary"
    wrong: str = ""
    """Its fault."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        lengths = [len(data.words(row)) for row in range(len(data.corpus))]
        rows = range(len(lengths)) if self.wrong == "no-leak" else data.train_rows.tolist()
        mean = sum(lengths[row] for row in rows) / len(rows)
        labels = ["long" if length > mean else "short" for length in lengths]
        if self.wrong == "deterministic":
            labels = ["long" if np.random.random() < 0.5 else "short" for _ in lengths]
        if self.wrong == "tasks":
            labels = labels[:-1]
        classes = ["long", "short", "other"] if self.wrong != "learnable" else None
        if self.wrong == "learnable":
            labels = ["short"] * len(labels)
        return [AuxiliaryTask(self.task_name, Classification(classes=classes), Linear(), labels)]
