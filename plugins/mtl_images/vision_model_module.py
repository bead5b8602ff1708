"""The module of vision encoders of Transformers."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtl_core import Features, FeatureShape, Layout, MtlError

MAX_REASON = 200
"""Largest number of characters of an error of Transformers in a message."""
MAX_PREFIX_TOKENS = 16
"""Largest number of special tokens before the patches: the class token and registers."""


def build_model(source: Path | dict[str, Any], pretrained: bool) -> nn.Module:
    """Build a vision encoder of Transformers.

    Args:
        source: A folder, or the config as a mapping.
        pretrained: Whether to load the weights of the folder.

    Raises:
        MtlError: If the config is invalid, the weights cannot be loaded, or the model reads no images.
    """
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    verbosity, is_bar_enabled = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    name = str(source) if isinstance(source, Path) else "backbone.model"
    if isinstance(source, Path) and not (source / "config.json").is_file():
        raise MtlError(f"{source}: expected a model's folder, with its config.json")
    try:
        if isinstance(source, Path) and pretrained:
            model = AutoModel.from_pretrained(source, local_files_only=True, use_safetensors=True)
        elif isinstance(source, Path):
            model = AutoModel.from_config(AutoConfig.from_pretrained(source, local_files_only=True))
        else:
            model = AutoModel.from_config(AutoConfig.for_model(**source))
    except Exception as error:  # Transformers raises many types of errors for invalid configs and weights
        reason = str(error).strip().splitlines()
        raise MtlError(
            f"{name}: cannot build the model: {(reason or [type(error).__name__])[0][:MAX_REASON]}"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if is_bar_enabled:
            logging.enable_progress_bar()
    if getattr(model, "main_input_name", None) != "pixel_values":
        raise MtlError(f"{name}: a model of type '{model.config.model_type}' is no vision encoder")
    built: nn.Module = model.float()
    return built


class VisionEncoder(nn.Module):
    """A vision encoder whose last states are pooled, a feature map, or a sequence of patches.

    Args:
        model: The model of Transformers.
        inputs: Shape of the images.
        layout: The layout of the output.
        trainable: Whether the model is trained.

    Raises:
        MtlError: If the model does not read images of this size or number of channels, or has no feature map.
    """

    def __init__(self, model: nn.Module, inputs: FeatureShape, layout: Layout, trainable: bool) -> None:
        super().__init__()
        if inputs.size is None:
            raise MtlError("the backbone 'vision-model' reads images, but its input has no height and width")
        self.model = _remove_pooler(model)
        self.layout = layout
        self.trainable = trainable
        parameters = inspect.signature(model.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in parameters else {}
        self.requires_grad_(trainable)
        self.size, self.n_prefix, width = self._find_output_size(inputs)
        if layout == "spatial" and self.size is None:
            raise MtlError("backbone.output: this model returns no feature map; use `output: tokens` or `pooled`")
        self.output = FeatureShape(
            width,
            sequence=layout == "sequence",
            size=self.size if layout == "spatial" else None,
            image_size=inputs.image_size,
        )

    def train(self, mode: bool = True) -> VisionEncoder:
        """Set the mode; a frozen model stays in evaluation mode."""
        super().train(mode)
        self.model.train(mode and self.trainable)
        return self

    def forward(self, features: Features) -> Features:
        """Return `(batch, width)`, `(batch, width, height, width)` or `(batch, patches, width)`."""
        states = self._run(features.values)
        patches = states.flatten(2).transpose(1, 2) if states.ndim == 4 else states[:, self.n_prefix :]
        if self.layout == "vector":
            return Features(patches.mean(dim=1))
        if self.layout == "sequence":
            return Features(patches, torch.ones(patches.shape[:2], dtype=torch.bool, device=patches.device))
        assert self.size is not None  # noqa: S101  checked in the constructor
        return Features(patches.transpose(1, 2).reshape(len(patches), -1, *self.size))

    def _run(self, values: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.model(pixel_values=values, **self.options).last_hidden_state
        return states

    def _find_output_size(self, inputs: FeatureShape) -> tuple[tuple[int, int] | None, int, int]:
        """Return the size of the feature map (None for none), the number of special tokens, and the width."""
        assert inputs.size is not None  # noqa: S101  checked in the constructor
        was_training = self.model.training
        try:
            with torch.no_grad():
                states = self.eval()._run(torch.zeros(1, inputs.width, *inputs.size))
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            reason = str(error).strip().splitlines()[0]
            raise MtlError(
                f"backbone.model: the model does not read images of {inputs.size[0]} x {inputs.size[1]} pixels and "
                f"{inputs.width} channels: {reason}"
            ) from error
        self.model.train(was_training)
        if states.ndim == 4:
            return (states.shape[2], states.shape[3]), 0, states.shape[1]
        patch: Any = getattr(self.model.config, "patch_size", None)
        patch_size = patch if isinstance(patch, int) else (patch[0] if patch else 1)
        for stride in (patch_size * 2**step for step in range(5)):
            size = (inputs.size[0] // stride, inputs.size[1] // stride)
            if 0 <= states.shape[1] - size[0] * size[1] <= MAX_PREFIX_TOKENS and min(size) > 0:
                return size, states.shape[1] - size[0] * size[1], states.shape[2]
        return None, 0, states.shape[2]


def _remove_pooler(model: nn.Module) -> nn.Module:
    """Remove a trained pooler, whose output is not used."""
    pooler = getattr(model, "pooler", None)
    if isinstance(pooler, nn.Module) and any(True for _ in pooler.parameters()):
        model.pooler = None  # type: ignore[assignment]
    return model
