"""Hints for keys that do not exist, but that users of other libraries guess."""

import re

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.training import Training
from mtl_core.config.yaml_file import Loc

NOTES = {
    "device": "the device is chosen automatically; set CUDA_VISIBLE_DEVICES",
    "num_workers": "there are no data loader processes; examples are encoded once, before training",
    "output_dir": "use the option --out",
}
"""Guessed key to what replaces it, if that is not a key."""
KEYS = {
    **dict.fromkeys(("lr", "learning_rate"), "optimizer.lr"),
    **{key: f"optimizer.{key}" for key in ("betas", "momentum", "weight_decay")},
    **dict.fromkeys(("scheduler", "lr_scheduler"), "schedule"),
    "warmup": "schedule.warmup",
    **dict.fromkeys(("max_epochs", "n_epochs", "num_epochs", "num_train_epochs"), "training.epochs"),
    **dict.fromkeys(("early_stopping", "early_stopping_patience"), "training.patience"),
    **dict.fromkeys(("clip_norm", "grad_clip", "gradient_clip_val"), "training.max_grad_norm"),
    **dict.fromkeys(("amp", "bf16", "dtype", "fp16"), "training.precision"),
    **dict.fromkeys(("random_seed", "random_state"), "seed"),
    **dict.fromkeys(("dataset", "loader"), "data"),
    "datasets": "data_sets",
    "model": "backbone",
    "tokenizer": "encoder",
}
"""Guessed key to the key that has this meaning."""
KIND_KEYS = {"class_weights", "classes", "loss", "metrics", "threshold"}
"""Keys of the kind of a task, which are guessed next to it."""


def find_key_hint(loc: Loc) -> str:
    """Return a hint that replaces an unknown key, to follow its name; an empty text if there is none."""
    key = str(loc[-1])
    if len(loc) == 3 and loc[0] == "tasks":
        return f"; did you mean 'tasks.{loc[1]}.kind.{key}'?" if key in KIND_KEYS else ""
    if len(loc) > 2 or (len(loc) == 2 and loc[0] not in {"training", "optimizer"}):
        return ""
    if key in NOTES:
        return f"; {NOTES[key]}"
    target = KEYS.get(key)
    if target is None and key in Training.model_fields:
        target = f"training.{key}"
    elif target is None and key in ExperimentConfig.model_fields:
        target = key
    return f"; did you mean '{target}'?" if target not in {None, ".".join(map(str, loc))} else ""


def add_key_hint(message: str, loc: Loc) -> str:
    """Add the hint to the message of an unknown key, instead of the key with the most similar name."""
    key, hint = f"unknown key '{loc[-1]}'", find_key_hint(loc)
    return re.sub(rf"^{re.escape(key)}(; did you mean '[^']*'\?)?", lambda _: key + hint, message) if hint else message
