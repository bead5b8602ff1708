"""LoRA adapters of PEFT."""

from __future__ import annotations

from torch import nn

from mtl_core import MtlError, did_you_mean, join_names
from mtl_transformers.lora_config import Lora
from mtl_transformers.silence_transformers import silence_transformers


def add_adapters(model: nn.Module, lora: Lora) -> None:
    """Add adapters to linear layers in place, and freeze all other parameters.

    Args:
        model: The model.
        lora: The settings of the adapters.

    Raises:
        MtlError: If a target layer does not exist.
    """
    from peft import LoraConfig, inject_adapter_in_model

    linear_names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    layer_names = list(dict.fromkeys(name.rpartition(".")[2] for name in linear_names))
    for target in lora.target_modules or []:
        if not any(name == target or name.endswith(f".{target}") for name in linear_names):
            raise MtlError(
                f"backbone.lora.target_modules: the model has no linear layer '{target}'"
                f"{did_you_mean(target, layer_names)} (linear layers: {join_names(layer_names)})"
            )
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules or layer_names,
        bias="none",
    )
    model.requires_grad_(False)
    with silence_transformers():
        inject_adapter_in_model(config, model)
