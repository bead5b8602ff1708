"""Every component of the project, constructed from the YAML block that a user would write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tiny_transformers import tiny_model

from mtl_core import testing
from mtl_core.data.label_space import DetectionSpace
from mtl_core.model.features import FeatureShape
from mtl_core.plugins import load_plugins
from mtl_core.registry import Registry
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
PLAIN = [Case()]
DETECTION = [Case(options={"spaces": [DetectionSpace(["high", "medium"], "low")]})]


def tiny() -> str:
    """Return the path of a transformer with a few hundred weights."""
    return str(tiny_model())


def tiny_shapes() -> list[FeatureShape]:
    """Return the feature shapes of its encoder."""
    encoder = registry().find("encoders", "transformer")(model=tiny_model(), max_tokens=38).build()
    encoder.fit(encoder.parse(["soup"]))
    return [encoder.input_layer().output]


DROPPED = {"drop": ["stop-words", "numbers", "punctuation"], "max_tokens": 4}

PARTS: dict[str, dict[str, Sequence[Case]]] = {
    "loaders": {
        "table": [
            Case({"train": str(TEXT / "train.csv"), "test": str(TEXT / "test.csv"), "text": "text"}),
            Case({"train": str(TEXT / "train.csv"), "words": "text", "labels": ["topic"]}),
        ],
        "semeval2014": [Case({"train": str(ABSA / "train.xml"), "test": str(ABSA / "test.xml")})],
    },
    "splitters": {
        "stratified": [Case(), Case({"validation": 0.3, "test": 0.2})],
        "random": [Case(), Case({"validation": 0.0, "test": 0.5})],
        "k-fold": [Case(), Case({"folds": 3, "fold": 2, "split_seed": 7}), Case({"hold_out": "test"})],
        "predefined": PLAIN,
    },
    "encoders": {
        "transformer": [
            Case({"model": tiny, "max_tokens": 38}, modules=["transformers"]),
            Case({"model": tiny, "max_tokens": 6, "tune": False}, modules=["transformers"]),
        ],
        "transformer-features": [
            Case({"model": tiny, "max_tokens": 38, "layers": [0, 2], "cache": False}, modules=["transformers"]),
        ],
        "distilled": [
            Case({"model": tiny, "dimensions": 6, "cache": False, "word_dropout": 0.3}, modules=["transformers"]),
            Case(
                {"model": tiny, "dimensions": 6, "cache": False, "unseen": "unknown", "whiten": True, **DROPPED},
                modules=["transformers"],
            ),
        ],
        "array": [Case(), Case({"standardise": False})],
        "spacy": [
            Case({"dimensions": 6, "word_dropout": 0.3}),
            Case({"dimensions": 6, "drop": ["stop-words", "numbers", "punctuation"], "max_tokens": 4}),
        ],
        "embedding": [
            Case({"dimensions": 6, "dropout": 0.3, "word_dropout": 0.3}),
            Case({"dimensions": 6, "max_tokens": 4, "vocabulary_size": 12, "lower_case": False}),
        ],
    },
    "backbones": {
        "transformer": [
            Case({"dropout": 0.3}, {"shapes": tiny_shapes}, modules=["transformers"]),
            Case({"layers": 1, "output": "first"}, {"shapes": tiny_shapes}, modules=["transformers"]),
            Case({"lora": {"rank": 2}}, {"shapes": tiny_shapes}, modules=["transformers", "peft"]),
        ],
        "mlp": [Case(), Case({"hidden_dims": [7, 5], "dropout": 0.4})],
        "identity": PLAIN,
        "bilstm": [Case({"hidden_dim": 4, "layers": 2, "input_dropout": 0.3, "dropout": 0.3})],
        "bigru": [Case({"hidden_dim": 4})],
        "lstm": [
            Case({"hidden_dim": 4, "dropout": 0.3}),
            Case({"hidden_dim": 4, "layers": 2, "bidirectional": True, "output": "tokens"}),
        ],
    },
    "heads": {
        "linear": [Case({"dropout": 0.3})],
        "token-linear": [Case({"dropout": 0.3})],
        "sequence-decoder": [Case({"hidden_dim": 5})],
        "attention": [Case({"dropout": 0.3}), Case({"grouped": False}), Case({"shared_layers": True})],
        "self-attention": [Case({"attention_heads": 3, "hidden_dim": 8})],
        "gradient-reversal": [Case(), Case({"head": {"type": "attention"}}), Case({"head": "token-linear"})],
    },
    "task_kinds": {
        "binary": [Case(), Case({"positive": "high"})],
        "classification": [Case(), Case({"loss": "focal", "class_weights": "balanced"})],
        "detect-and-classify": [
            Case({"nothing": "low"}),
            Case({"nothing": "high", "classes": ["low", "medium"], "detection_weight": 0.3, "threshold": 0.4}),
        ],
        "multi-label": PLAIN,
        "ordinal": [Case(), Case({"classes": ["low", "medium", "high"]})],
        "regression": [Case(), Case({"outputs": 2, "loss": "huber"}), Case({"standardise": False})],
        "token-tagging": PLAIN,
        "token-regression": PLAIN,
        "reconstruction": PLAIN,
        "masked-tokens": [Case({"share": 0.3})],
        "bag-of-words": PLAIN,
    },
    "losses": {
        "cross-entropy": [Case(), Case({"smoothing": 0.1})],
        "focal": [Case(), Case({"gamma": 0.0})],
        "squared-error": [Case(options=NUMBERS)],
        "absolute-error": [Case(options=NUMBERS)],
        "huber": [Case({"delta": 0.5}, NUMBERS)],
    },
    "loss_masks": {"observed": PLAIN, "exclude-labels": [Case(), Case({"labels": ["low", "none"]})]},
    "class_weights": {
        "none": PLAIN,
        "balanced": [Case(), Case({"power": 0.5})],
        "given": [Case({"values": {"low": 3.0}})],
    },
    "metrics": {
        "accuracy": PLAIN,
        "macro-f1": PLAIN,
        "confusion": PLAIN,
        "restricted-accuracy": [Case({"name": "two_way", "classes": ["high", "low"]})],
        "rank-distance": PLAIN,
        "quadratic-kappa": PLAIN,
        "detection-f1": DETECTION,
        "detection-precision": DETECTION,
        "detection-recall": [
            Case(
                options={
                    **DETECTION[0].options,
                    "without": {"direction": "predicting everything as present is wrong"},
                }
            )
        ],
        "joint-f1": DETECTION,
        "micro-f1": PLAIN,
        "exact-match": PLAIN,
        "mae": PLAIN,
        "rmse": PLAIN,
        "r2": PLAIN,
    },
    "weightings": {
        "static": PLAIN,
        "by-labels": PLAIN,
        "uncertainty": PLAIN,
        "dwa": [Case(), Case({"temperature": 0.5})],
        "random": PLAIN,
        "geometric": PLAIN,
        "gradnorm": [Case(), Case({"alpha": 0.0, "lr": 0.2})],
        "famo": [Case(), Case({"same_batch": True, "lr": 0.2})],
        "smooth-tchebycheff": [Case(), Case({"mu": 0.3, "ideal": {"first": 0.1}})],
        "sum": PLAIN,
        "mean": PLAIN,
        "constant": [Case({"weights": {"first": 3.0}})],
        "random-gradient": PLAIN,
        "krum": [Case({"n_byzantine": 0, "n_selected": 2})],
        "trimmed-mean": PLAIN,
        "pcgrad": PLAIN,
        "gradvac": PLAIN,
        "graddrop": [Case({"leak": {"first": 0.5}})],
        "config": PLAIN,
        "upgrad": [Case({"preferences": {"first": 2.0}})],
        "dualproj": PLAIN,
        "mgda": PLAIN,
        "cagrad": PLAIN,
        "imtl-g": PLAIN,
        "aligned-mtl": [Case({"scale_mode": "rmse"})],
        "fairgrad": [Case({"alpha": 2.0})],
        "nash-mtl": [Case({"update_weights_every": 3, "optim_niter": 5})],
        "pcd": [Case({"primary": "first", "tau": 0.5, "taus": {"first": 0.1}})],
        "excess-mtl": [Case({"n_warmup_steps": 4})],
        "cr-mogm": [Case({"of": {"type": "gradvac"}, "alpha": 0.5})],
    },
    "optimizers": {
        "adam": PLAIN,
        "adamw": [Case({"weight_decay": 0.1})],
        "sgd": [Case({"lr": 0.05}), Case({"lr": 0.05, "momentum": 0.9})],
    },
    "schedules": {
        "constant": [Case(), Case({"warm_up": 0.3})],
        "linear": [Case({"warm_up": 0.1, "end": 0.2})],
        "cosine": [Case({"warm_up": 0.1})],
    },
    "architectures": {
        "hard-sharing": PLAIN,
        "soft-sharing": [Case(), Case({"distance": "trace-norm"}), Case({"strength": 0.0})],
        "cross-stitch": [Case(), Case({"layers": 1, "per_channel": True})],
        "mmoe": PLAIN,
    },
    "samplings": {
        "proportional": PLAIN,
        "uniform": PLAIN,
        "round-robin": PLAIN,
        "temperature": [Case({"temperature": 3.0})],
        "annealed": PLAIN,
    },
    "trackers": {"tensorboard": PLAIN, "mlflow": PLAIN, "wandb": PLAIN},
    "auxiliary_tasks": {
        "word-frequency": PLAIN,
        "part-of-speech": [Case({"pipeline": str(TAGGER)}, needs=TAGGER)],
        "sentence-length": [Case(), Case({"bins": 2, "ordered": False})],
        "opinion-words": [Case({"min_count": 1, "min_score": 0.0, "max_share": 1.0})],
        "marked-words": [Case({"spans": "things"})],
        "mentioned": PLAIN,
        "adversarial": [Case({"label": "food"})],
        "inverse": [Case({"label": "food"})],
        "masked-tokens": [Case({"share": 0.3})],
        "bag-of-words": PLAIN,
        "reconstruction": PLAIN,
        "sentence-vector": [
            Case({"model": tiny, "max_tokens": 38, "dimensions": 3, "cache": False}, modules=["transformers"])
        ],
    },
}


@cache
def registry() -> Registry:
    """Return the registry of all installed plugins."""
    return Registry(load_plugins())


def own_types(seam: str) -> set[str]:
    """Return the type names that the project's own distribution registers at an extension point."""
    offers = registry().offers(seam)
    return {name for name, found in offers.items() if any(one.origin.endswith("of mtl-core") for one in found)}


def checks_of(seam: str, type_name: str, case: Case) -> Checks:
    """Return the suite of a component."""
    block = {"type": type_name, **_made(case.block)}
    spec = registry().find(seam, type_name).model_validate(block, context={"registry": registry()})
    return SUITES[seam](spec, **_made(case.options))


def _made(values: Mapping[str, Any]) -> Block:
    return {name: value() if callable(value) else value for name, value in values.items()}
