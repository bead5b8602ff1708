"""Asking a saved network in fewer bits: faster, at the price of digits."""

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
    """The precision in which this processor is fast and accuracy stays: `bf16` if it multiplies such numbers."""
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"


def in_precision(saved: SavedRun, precision: Precision) -> SavedRun:
    """Give a run whose network computes in another precision; the run itself stays as it is.

    Args:
        saved: The run, with a network of 32-bit floats.
        precision: `fp32` as it is; `bf16` linear layers in 16 bits; `int8` linear and recurrent layers with weights
            of 8 bits, and inputs that are quantised as they come (on a CPU only).

    Raises:
        MtlError: If this machine cannot compute so.
    """
    if precision == "fp32":
        return saved
    network = deepcopy(saved.network)
    if precision == "bf16":
        return replace(saved, network=SixteenBits(network))
    return replace(saved, network=_eight_bits(network))


class SixteenBits(MultiTaskNetwork):
    """The same network under bfloat16 autocast. Weights of linear layers are stored so, not converted each time.

    Args:
        network: Is taken over.
    """

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__(network.body, network.head_groups())
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.to(torch.bfloat16)
        self.eval()

    def forward(self, inputs: Any, wanted: Any = None, hidden: Mapping[int, Any] | None = None) -> list[Any]:
        """Compute the outputs of every task, as 32-bit floats; arguments are those of `MultiTaskNetwork`."""
        device = next(self.parameters()).device.type
        with torch.autocast(device, torch.bfloat16):
            said = super().forward(inputs, wanted, hidden)
        return [None if one is None else _in_32_bits(one) for one in said]


def _in_32_bits(said: HeadOutput) -> HeadOutput:
    attention = None if said.attention is None else said.attention.float()
    return HeadOutput(said.outputs.float(), attention, said.read)


def _eight_bits(network: MultiTaskNetwork) -> MultiTaskNetwork:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that torchao will take this over
        try:
            from torch.ao.quantization import quantize_dynamic

            quantised = quantize_dynamic(network, {nn.Linear, nn.LSTM, nn.GRU}, dtype=torch.qint8, inplace=True)  # type: ignore[no-untyped-call]
        except (ImportError, RuntimeError) as error:
            raise MtlError(f"--precision int8: this installation of torch cannot compute so: {error}") from error
    assert isinstance(quantised, MultiTaskNetwork)  # noqa: S101  only what it holds is replaced
    return quantised
