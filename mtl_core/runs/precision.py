"""Inference with a saved network in lower precision: faster, but less accurate."""

import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.model.heads import HeadOutput
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.saved import SavedRun

Precision = Literal["fp32", "bf16", "int8"]


def fastest_precision() -> Precision:
    """Return the fastest precision that keeps accuracy: `bf16` if the processor supports it, else `fp32`."""
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"


def in_precision(saved: SavedRun, precision: Precision) -> SavedRun:
    """Return a copy of a run whose network computes in another precision; the given run is not changed.

    Args:
        saved: The run, with a float32 network.
        precision: `fp32`: unchanged; `bf16`: linear layers in bfloat16; `int8`: linear and recurrent layers with
            8-bit weights and dynamically quantised inputs (CPU only).

    Raises:
        MtlError: If this machine does not support the precision.
    """
    if precision == "fp32":
        return saved
    network = deepcopy(saved.network)
    if precision == "bf16":
        return replace(saved, network=SixteenBits(network))
    return replace(saved, network=_eight_bits(network))


class SixteenBits(MultiTaskNetwork):
    """A network under bfloat16 autocast. Weights of linear layers are stored as bfloat16 to avoid casts per call.

    Args:
        network: The float32 network; its modules are reused and changed in place.
    """

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__(network.body, network.head_groups())
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.to(torch.bfloat16)
        self.eval()

    def forward(self, inputs: Any, wanted: Any = None, hidden: Mapping[int, Any] | None = None) -> list[Any]:
        """Compute the outputs of every task, as float32; arguments as in `MultiTaskNetwork`."""
        device = next(self.parameters()).device.type
        with torch.autocast(device, torch.bfloat16):
            said = super().forward(inputs, wanted, hidden)
        return [None if one is None else _in_32_bits(one) for one in said]


def _in_32_bits(said: HeadOutput) -> HeadOutput:
    attention = None if said.attention is None else said.attention.float()
    return HeadOutput(said.outputs.float(), attention, said.read)


def _eight_bits(network: MultiTaskNetwork) -> MultiTaskNetwork:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that this moves to torchao
        try:
            from torch.ao.quantization import quantize_dynamic

            quantised = quantize_dynamic(network, {nn.Linear, nn.LSTM, nn.GRU}, dtype=torch.qint8, inplace=True)  # type: ignore[no-untyped-call]
        except (ImportError, RuntimeError) as error:
            raise MtlError(f"--precision int8: this installation of torch does not support it: {error}") from error
    assert isinstance(quantised, MultiTaskNetwork)  # noqa: S101  only its submodules are replaced
    return quantised
