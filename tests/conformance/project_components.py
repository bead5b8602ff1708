"""Every component of the project, constructed from the YAML block that a user would write."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tiny_transformers import tiny_model
from torch import nn

from mtl_core import testing
from mtl_core.data.class_space import ClassSpace, DetectionSpace
from mtl_core.data.memory_tables import MemoryTables
from mtl_core.nn.features import FeatureShape
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry
from mtl_core.testing import Checks

ROOT = Path(__file__).parents[2]
ABSA, TEXT = ROOT / "absa_plugin" / "sample", ROOT / "plugins" / "mtl_text" / "sample"
TAGGER = ROOT.parent / "shared" / "models" / "en_core_web_md"
Block = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A component to check.

    Attributes:
        block: Its keys except `type`. A value may be a function, which is called when the value is needed.
        options: Further arguments of the suite; values may be functions here, too.
        needs: A required file outside the repository; None if there is none.
        modules: Modules of an extra that must be installed.
    """

    block: Block = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    needs: Path | None = None
    modules: Sequence[str] = ()


SUITES: dict[str, Callable[..., Checks]] = {
    "loaders": testing.loader_checks,
    "splitters": testing.splitter_checks,
    "encoders": testing.encoder_checks,
    "fusions": testing.fusion_checks,
    "backbones": testing.backbone_checks,
    "heads": testing.head_checks,
    "task_kinds": testing.task_kind_checks,
    "losses": testing.loss_checks,
    "loss_masks": testing.loss_mask_checks,
    "class_weights": testing.class_weights_checks,
    "metrics": testing.metric_checks,
    "weightings": testing.weighting_checks,
    "optimizers": testing.optimizer_checks,
    "schedules": testing.schedule_checks,
    "architectures": testing.architecture_checks,
    "samplings": testing.sampling_checks,
    "trackers": testing.tracker_checks,
    "auxiliary_tasks": testing.auxiliary_checks,
}
NUMBERS = {"labels": "numbers"}
TWO_CLASSES = [Case(options={"spaces": [ClassSpace(["no", "yes"])]})]
DEFAULT_CASE = [Case()]
SPATIAL = Case(options={"shapes": [FeatureShape(6, size=(3, 4), image_size=(6, 8))]})
"""A part for images, which reads spatial features."""
IMAGES = [FeatureShape(3, size=(16, 24), image_size=(16, 24))]
NEAR = {"tolerance": 1e-5}
"""The order of a convolution's sums depends on the size of the batch."""
TINY_VIT = {
    "model_type": "vit",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "image_size": 16,
    "patch_size": 8,
}
TINY_RESNET = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 16],
    "depths": [1, 1],
    "layer_type": "basic",
}
DETECTION = [Case(options={"spaces": [DetectionSpace(["high", "medium"], "low")]})]


def get_tiny_model() -> str:
    """Return the path of a transformer with a few hundred weights."""
    return str(tiny_model())


def compute_tiny_shapes() -> list[FeatureShape]:
    """Return the feature shapes of its encoder."""
    spec: Any = load_registry().find("encoders", "transformer")
    encoder = spec(model=tiny_model(), max_tokens=38).build()
    encoder.fit(encoder.parse(["soup"]))
    return [encoder.input_layer().output]


ROWS: Sequence[Block] = [
    {"review": "The soup was lovely.", "size": [1.0, 2.0], "a.b": [3.0]},
    {"review": None, "size": [2.0, -2.0], "a.b": None},
    {"review": "Lovely bread, and a kind waiter!", "size": None, "a.b": [1.0]},
    {"review": "Soup", "size": [0.0, 1.0], "a.b": [2.0]},
]
"""Rows of three input columns, with a missing cell in each."""
STATIC_ROWS: Sequence[Block] = [
    {"day": "2024-05-31", "tags": ["quiet"], "kind": "thai", "price": 3.0},
    {"day": None, "tags": ["quiet", "cheap"], "kind": "greek", "price": None},
    {"day": "2024-07-31", "tags": None, "kind": None, "price": 5.0},
]
"""Rows of four input columns without tokens, with a missing cell in each."""


@cache
def write_sample_images() -> str:
    """Write a folder with a few images per class, and return its path."""
    from PIL import Image

    folder = Path(tempfile.mkdtemp(prefix="images-"))
    for label, color in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        (folder / label).mkdir()
        for number in range(3):
            Image.new("RGB", (8, 6), color).save(folder / label / f"{number}.png")
    return str(folder)


@cache
def write_sample_masks() -> str:
    """Write a folder with two images and their masks as arrays, and return its path."""
    folder = Path(tempfile.mkdtemp(prefix="masks-"))
    for name, shape in (("image", (4, 6, 3)), ("label", (4, 6))):
        (folder / name).mkdir()
        for number in range(2):
            np.save(folder / name / f"{number}.npy", np.full(shape, number, dtype=np.uint8))
    return str(folder)


SMILES = ["CCO", "CC(=O)O", "C1CCCCC1", "c1ccccc1", "Cc1ccccc1", "c1ccncc1", "C1CCNCC1", "c1ccc2ccccc2c1"]
"""Molecules with and without rings."""
RINGS = [f"C1{'C' * size}1" for size in range(2, 42)]
"""Molecules with different scaffolds."""


@cache
def write_sample_molecules() -> str:
    """Write a table of molecules with an invented label, and return its path."""
    path = Path(tempfile.mkdtemp(prefix="molecules-")) / "molecules.csv"
    path.write_text("smiles,ring\n" + "".join(f"{one},{int('1' in one)}\n" for one in SMILES), encoding="utf-8")
    return str(path)


def build_memory_tables() -> MemoryTables:
    """Return tables in memory."""
    return MemoryTables({"train": {"price": [1.0, None, 3.0], "kind": ["thai", "greek", None]}})


FROM_PYTHON = "its object is handed in from Python"
DROPPED = {"drop": ["stop-words", "numbers", "punctuation"], "max_tokens": 4}

COMPONENTS: dict[str, dict[str, Sequence[Case]]] = {
    "loaders": {
        "table": [
            Case({"train": str(TEXT / "train.csv"), "test": str(TEXT / "test.csv"), "text": "text"}),
            Case({"train": str(TEXT / "train.csv"), "words": "text", "labels": ["topic"]}),
            Case(
                {
                    "train": str(TEXT / "train.csv"),
                    "inputs": {"text": "text", "sentiment": "category"},
                    "labels": ["topic"],
                }
            ),
        ],
        "memory": [
            Case(
                {"inputs": {"price": "number"}, "labels": ["kind"], "tables": build_memory_tables},
                {"skip": dict.fromkeys(["round-trip", "deterministic"], FROM_PYTHON)},
            )
        ],
        "image-folder": [Case({"train": write_sample_images}, {"text": "photo.png"}, modules=["PIL"])],
        "street-scenes": [
            Case({"scenes": 8, "test_scenes": 2, "size": 16}, {"text": "photo.png"}, modules=["PIL"]),
        ],
        "mask-folders": [Case({"train": write_sample_masks, "labels": {"seg": "label"}}, {"text": "photo.npy"})],
        "molecules": [
            Case({"train": write_sample_molecules, "cache": False}, {"text": "CCO"}, modules=["rdkit"]),
            Case(
                {"train": write_sample_molecules, "invalid": "skip", "cache": False}, {"text": "C"}, modules=["rdkit"]
            ),
        ],
        "semeval2014": [Case({"train": str(ABSA / "train.xml"), "test": str(ABSA / "test.xml")})],
    },
    "splitters": {
        "stratified": [Case(), Case({"validation": 0.3, "test": 0.2})],
        "random": [Case(), Case({"validation": 0.0, "test": 0.5})],
        "k-fold": [
            Case(),
            Case({"folds": 3, "fold": 2, "split_seed": 7}),
            Case({"hold_out": "test"}),
            Case({"column": "user"}),
        ],
        "predefined": DEFAULT_CASE,
        "group": [
            Case({"column": "user", "test": 0.2}),
            Case({"column": "site"}, {"metadata": {"site": [1, 2, None, 4, None, 6, 7, 8]}}),
        ],
        "scaffold": [
            Case(options={"metadata": {"smiles": RINGS}}, modules=["rdkit"]),
            Case({"test": 0.2}, {"metadata": {"smiles": RINGS}}, modules=["rdkit"]),
        ],
        "time": [
            Case({"column": "date", "validation": 0.1, "test": 0.2}),
            Case({"column": "year"}, {"metadata": {"year": [2019, 2020, 2021, 2022, 2023]}}),
        ],
    },
    "encoders": {
        "morgan": [
            Case({"bits": 64, "width": 8, "cache": False}, {"inputs": SMILES}, modules=["rdkit"]),
            Case(
                {"bits": 64, "counts": True, "descriptors": True, "width": 8, "input_dropout": 0.2, "cache": False},
                {"inputs": SMILES},
                modules=["rdkit"],
            ),
        ],
        "descriptors": [Case({"cache": False}, {"inputs": SMILES}, modules=["rdkit"])],
        "transformer": [
            Case({"model": get_tiny_model, "max_tokens": 38}, modules=["transformers"]),
            Case({"model": get_tiny_model, "max_tokens": 6, "trainable": False}, modules=["transformers"]),
        ],
        "transformer-features": [
            Case(
                {"model": get_tiny_model, "max_tokens": 38, "layers": [0, 2], "cache": False},
                modules=["transformers"],
            ),
        ],
        "distilled": [
            Case(
                {"model": get_tiny_model, "dimensions": 6, "cache": False, "word_dropout": 0.3},
                modules=["transformers"],
            ),
            Case(
                {
                    "model": get_tiny_model,
                    "dimensions": 6,
                    "cache": False,
                    "oov": "unknown",
                    "whiten": True,
                    **DROPPED,
                },
                modules=["transformers"],
            ),
        ],
        "array": [Case(), Case({"standardise": False})],
        "sparse": [
            Case({"width": 6}, {"inputs": ["0 3:2 7", "1:0.5", [[7, 2.0], [0, 1]], np.array([0, 0, 1.0])]}),
            Case({"features": 9, "width": 5, "dropout": 0.3, "input_dropout": 0.3}, {"inputs": ["0 3", "8", "3 1 2"]}),
        ],
        "image": [
            Case({"size": 8}, modules=["PIL"]),
            Case(
                {
                    "size": [7, 9],
                    "color_mode": "grayscale",
                    "augmentation": {"horizontal_flip": True, "shift": 2, "brightness": 0.3},
                },
                modules=["PIL"],
            ),
            Case({"size": 6, "resize": "crop", "mean": [0.5] * 3, "std": [0.2] * 3}, modules=["PIL"]),
        ],
        "number": [
            Case(options={"inputs": [3, None, -1.5, 4]}),
            Case({"standardise": False}, {"inputs": [3, float("nan"), "2.5"]}),
        ],
        "category": [
            Case({"dimensions": 5}, {"inputs": ["thai", None, "greek", "thai"]}),
            Case({"min_count": 2, "category_dropout": 0.5}, {"inputs": ["thai", None, 7, "thai"]}),
        ],
        "multi-category": [
            Case({"dimensions": 5}, {"inputs": [["quiet", "cheap"], [], None, ["cheap"]]}),
        ],
        "date": [
            Case(options={"inputs": ["2024-05-31", None, "2023-01-02T18:30"]}),
            Case({"features": ["weekday", "time"]}, {"inputs": ["2024-05-31", None, "2023-01-02T18:30"]}),
        ],
        "columns": [
            Case(
                {"columns": {"day": "date", "tags": "multi-category", "kind": "category", "price": "number"}},
                {"inputs": STATIC_ROWS},
            ),
            Case(
                {"columns": {"review": "embedding", "size": "array", "a.b": "array"}},
                {"inputs": ROWS},
            ),
            Case({"columns": {"size": "array", "a.b": "array"}, "fusion": "gated"}, {"inputs": ROWS}),
        ],
        "spacy": [
            Case({"dimensions": 6, "word_dropout": 0.3}),
            Case({"dimensions": 6, "drop": ["stop-words", "numbers", "punctuation"], "max_tokens": 4}),
        ],
        "embedding": [
            Case({"dimensions": 6, "dropout": 0.3, "word_dropout": 0.3}),
            Case({"dimensions": 6, "max_tokens": 4, "vocabulary_size": 12, "lower_case": False}),
        ],
    },
    "fusions": {
        "concatenate": DEFAULT_CASE,
        "broadcast": DEFAULT_CASE,
        "gated": [Case(), Case({"hidden_dim": 5})],
    },
    "backbones": {
        "transformer": [
            Case({"dropout": 0.3}, {"shapes": compute_tiny_shapes}, modules=["transformers"]),
            Case(
                {"trainable_layers": 1, "output": "first"},
                {"shapes": compute_tiny_shapes},
                modules=["transformers"],
            ),
            Case({"lora": {"rank": 2}}, {"shapes": compute_tiny_shapes}, modules=["transformers", "peft"]),
        ],
        "residual-cnn": [
            Case({"channels": [8, 16]}, NEAR),
            Case({"channels": [4, 8], "normalization": "group", "dropout": 0.3}, NEAR),
            Case({"channels": [8], "blocks": 2, "stem_stride": 2, "output": "spatial"}, NEAR),
        ],
        "vision-model": [
            Case({"model": TINY_VIT}, {"shapes": IMAGES, **NEAR}, modules=["transformers"]),
            Case({"model": TINY_RESNET, "output": "spatial"}, {"shapes": IMAGES, **NEAR}, modules=["transformers"]),
            Case({"model": TINY_VIT, "output": "tokens"}, {"shapes": IMAGES, **NEAR}, modules=["transformers"]),
        ],
        "module": [
            Case(
                {"name": "build", "module": lambda: lambda inputs: nn.Linear(inputs.width, 5)},
                {
                    "shapes": [FeatureShape(4), FeatureShape(6, sequence=True)],
                    "skip": dict.fromkeys(["round-trip", "defaults"], FROM_PYTHON),
                },
            )
        ],
        "mlp": [Case(), Case({"hidden_dims": [7, 5], "dropout": 0.4})],
        "identity": DEFAULT_CASE,
        "bilstm": [Case({"hidden_dim": 4, "layers": 2, "input_dropout": 0.3, "dropout": 0.3})],
        "bigru": [Case({"hidden_dim": 4})],
        "lstm": [
            Case({"hidden_dim": 4, "dropout": 0.3}),
            Case({"hidden_dim": 4, "layers": 2, "bidirectional": True, "output": "tokens"}),
        ],
    },
    "heads": {
        "linear": [Case({"dropout": 0.3})],
        "module": [
            Case(
                {"name": "build", "module": lambda: lambda inputs, outputs: nn.Linear(inputs.width, outputs)},
                {"skip": dict.fromkeys(["round-trip", "defaults"], FROM_PYTHON)},
            )
        ],
        "token-linear": [Case({"dropout": 0.3})],
        "sequence-decoder": [Case({"hidden_dim": 5})],
        "dense-conv": [Case({"hidden_dim": 5, "dropout": 0.3}), Case({"hidden_dim": 0})],
        "max-pool": [Case(), Case({"dropout": 0.3})],
        "attention": [Case({"dropout": 0.3}), Case({"grouped": False}), Case({"shared_layers": True})],
        "self-attention": [Case({"attention_heads": 3, "hidden_dim": 8})],
        "gradient-reversal": [Case(), Case({"head": {"type": "attention"}}), Case({"head": "token-linear"})],
    },
    "task_kinds": {
        "binary": [Case(), Case({"positive": "high"})],
        "classification": [Case(), Case({"loss": "focal", "class_weights": "balanced"})],
        "detect-and-classify": [
            Case({"absent_label": "low"}),
            Case({"absent_label": "high", "classes": ["low", "medium"], "detection_weight": 0.3, "threshold": 0.4}),
        ],
        "multi-label": DEFAULT_CASE,
        "ordinal": [Case(), Case({"classes": ["low", "medium", "high"]})],
        "regression": [Case(), Case({"outputs": 2, "loss": "huber"}), Case({"standardise": False})],
        "token-tagging": DEFAULT_CASE,
        "token-regression": DEFAULT_CASE,
        "segmentation": [Case(), Case({"classes": 4, "class_weights": "balanced"})],
        "dense-regression": [
            Case(),
            Case({"channels": 3, "standardise": False}),
            Case(
                {"channels": 3, "standardise": False, "loss": "cosine", "metrics": ["angle-error", "within-angle"]},
                {"skip": {"agreement": "directions have any length"}},
            ),
        ],
        "reconstruction": DEFAULT_CASE,
        "masked-tokens": [Case({"mask_ratio": 0.3})],
        "bag-of-words": DEFAULT_CASE,
    },
    "losses": {
        "cross-entropy": [Case(), Case({"label_smoothing": 0.1})],
        "focal": [Case(), Case({"gamma": 0.0})],
        "squared-error": [Case(options=NUMBERS)],
        "absolute-error": [Case(options=NUMBERS)],
        "huber": [Case({"delta": 0.5}, NUMBERS)],
        "cosine": [Case(options={"labels": "vectors"})],
    },
    "loss_masks": {"observed": DEFAULT_CASE, "exclude-labels": [Case(), Case({"labels": ["low", "none"]})]},
    "class_weights": {
        "none": DEFAULT_CASE,
        "balanced": [Case(), Case({"power": 0.5})],
        "explicit": [Case({"values": {"low": 3.0}})],
    },
    "metrics": {
        "accuracy": DEFAULT_CASE,
        "macro-f1": DEFAULT_CASE,
        "confusion": DEFAULT_CASE,
        "restricted-accuracy": [Case({"name": "two_way", "classes": ["high", "low"]})],
        "rank-distance": DEFAULT_CASE,
        "quadratic-kappa": DEFAULT_CASE,
        "detection-f1": DETECTION,
        "detection-precision": DETECTION,
        "detection-recall": [
            Case(
                options={
                    **DETECTION[0].options,
                    "skip": {"direction": "predicting everything as present is wrong"},
                }
            )
        ],
        "joint-f1": DETECTION,
        "micro-f1": DEFAULT_CASE,
        "exact-match": DEFAULT_CASE,
        "mae": DEFAULT_CASE,
        "rmse": DEFAULT_CASE,
        "r2": DEFAULT_CASE,
        "mean-iou": DEFAULT_CASE,
        "pixel-accuracy": DEFAULT_CASE,
        "abs-rel": DEFAULT_CASE,
        "roc-auc": TWO_CLASSES,
        "average-precision": TWO_CLASSES,
        "log-loss": DEFAULT_CASE,
        "spearman": DEFAULT_CASE,
        "angle-error": DEFAULT_CASE,
        "within-angle": [Case({"degrees": 30})],
    },
    "weightings": {
        "sum": DEFAULT_CASE,
        "label-count": DEFAULT_CASE,
        "uncertainty": DEFAULT_CASE,
        "dwa": [Case(), Case({"temperature": 0.5})],
        "random": DEFAULT_CASE,
        "geometric": DEFAULT_CASE,
        "gradnorm": [Case(), Case({"alpha": 0.0, "lr": 0.2})],
        "famo": [Case(), Case({"same_batch": True, "lr": 0.2})],
        "smooth-tchebycheff": [Case(), Case({"mu": 0.3, "ideal": {"first": 0.1}})],
        "gradient-sum": DEFAULT_CASE,
        "gradient-mean": DEFAULT_CASE,
        "constant": [Case({"weights": {"first": 3.0}})],
        "random-gradient": DEFAULT_CASE,
        "krum": [Case({"n_byzantine": 0, "n_selected": 2})],
        "trimmed-mean": DEFAULT_CASE,
        "pcgrad": DEFAULT_CASE,
        "gradvac": DEFAULT_CASE,
        "graddrop": [Case({"leak": {"first": 0.5}})],
        "config": DEFAULT_CASE,
        "upgrad": [Case({"preferences": {"first": 2.0}})],
        "dualproj": DEFAULT_CASE,
        "mgda": DEFAULT_CASE,
        "cagrad": DEFAULT_CASE,
        "imtl-g": DEFAULT_CASE,
        "aligned-mtl": [Case({"scale_mode": "rmse"})],
        "fairgrad": [Case({"alpha": 2.0})],
        "nash-mtl": [Case({"update_weights_every": 3, "optim_niter": 5})],
        "pcd": [Case({"primary": "first", "tau": 0.5, "taus": {"first": 0.1}})],
        "excess-mtl": [Case({"n_warmup_steps": 4})],
        "cr-mogm": [Case({"aggregator": {"type": "gradvac"}, "alpha": 0.5})],
    },
    "optimizers": {
        "adam": DEFAULT_CASE,
        "adamw": [Case({"weight_decay": 0.1})],
        "sgd": [Case({"lr": 0.05}), Case({"lr": 0.05, "momentum": 0.9})],
    },
    "schedules": {
        "constant": [Case(), Case({"warmup": 0.3})],
        "linear": [Case({"warmup": 0.1, "final": 0.2})],
        "cosine": [Case({"warmup": 0.1})],
    },
    "architectures": {
        "hard-sharing": [Case(), SPATIAL],
        "soft-sharing": [Case(), Case({"distance": "trace-norm"}), Case({"strength": 0.0}), SPATIAL],
        "cross-stitch": [
            Case(),
            Case({"layers": 1, "per_channel": True}),
            SPATIAL,
            Case({"per_channel": True}, SPATIAL.options),
        ],
        "mmoe": [Case(), SPATIAL],
        "cgc": [Case(), Case({"task_experts": 0}), Case({"task_experts": 2}, SPATIAL.options)],
        "ple": [Case(), Case({"levels": 3, "task_experts": 0}), Case({"levels": 3}), SPATIAL],
        "dselect-k": [Case(), Case({"experts": 3, "per_example": True}), SPATIAL],
        "mtan": [Case(), Case({"layers": 1, "hidden_dim": 5}), SPATIAL],
        "adashare": [
            Case({"warmup": 0.0}),
            Case({"warmup": 0.0}, SPATIAL.options),
        ],
    },
    "samplings": {
        "proportional": DEFAULT_CASE,
        "uniform": DEFAULT_CASE,
        "round-robin": DEFAULT_CASE,
        "temperature": [Case({"temperature": 3.0})],
        "annealed": DEFAULT_CASE,
    },
    "trackers": {"tensorboard": DEFAULT_CASE, "mlflow": DEFAULT_CASE, "wandb": DEFAULT_CASE},
    "auxiliary_tasks": {
        "word-frequency": DEFAULT_CASE,
        "part-of-speech": [Case({"pipeline": str(TAGGER)}, needs=TAGGER)],
        "sentence-length": [Case(), Case({"bins": 2, "ordered": False})],
        "opinion-words": [Case({"min_count": 1, "min_score": 0.0, "max_df": 1.0})],
        "marked-words": [Case({"spans": "things"})],
        "aspect-presence": DEFAULT_CASE,
        "adversarial": [Case({"label": "food"})],
        "auxiliary-target": [Case({"label": "food"})],
        "masked-tokens": [Case({"mask_ratio": 0.3})],
        "bag-of-words": DEFAULT_CASE,
        "reconstruction": DEFAULT_CASE,
        "sentence-vector": [
            Case(
                {"model": get_tiny_model, "max_tokens": 38, "dimensions": 3, "cache": False},
                modules=["transformers"],
            )
        ],
    },
}


@cache
def load_registry() -> Registry:
    """Return the registry of all installed plugins."""
    return Registry(load_plugins())


def list_project_types(extension_point: str) -> set[str]:
    """Return the type names that the project's own distribution registers at an extension point."""
    registered = load_registry().get_specs(extension_point)
    return {name for name, specs in registered.items() if any(spec.origin.endswith("of mtl-core") for spec in specs)}


def build_checks(extension_point: str, type_name: str, case: Case) -> Checks:
    """Return the suite of a component."""
    block = {"type": type_name, **_resolve(case.block)}
    spec = load_registry().find(extension_point, type_name).model_validate(block, context={"registry": load_registry()})
    return SUITES[extension_point](spec, **_resolve(case.options))


def _resolve(values: Mapping[str, Any]) -> Block:
    return {name: value() if callable(value) else value for name, value in values.items()}
