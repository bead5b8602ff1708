"""Inference with a saved network in lower precision: faster, but less accurate."""

import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.heads import HeadOutput
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.saved_run import SavedRun

Precision = Literal["fp32", "bf16", "int8"]


def select_precision() -> Precision:
    """Return the fastest precision that keeps accuracy: `bf16` if the processor supports it, else `fp32`."""
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"


def convert_precision(saved_run: SavedRun, precision: Precision) -> SavedRun:
    """Return a copy of a run whose network computes in another precision; the given run is not changed.

    Args:
        saved_run: The run, with a float32 network.
        precision: `fp32`: unchanged; `bf16`: linear layers in bfloat16; `int8`: linear and recurrent layers with
            8-bit weights and dynamically quantised inputs (CPU only).

    Raises:
        MtlError: If this machine does not support the precision.
    """
    if precision == "fp32":
        return saved_run
    network = deepcopy(saved_run.network)
    if precision == "bf16":
        return replace(saved_run, network=Bf16Network(network))
    return replace(saved_run, network=_quantize_int8(network))


class Bf16Network(MultiTaskNetwork):
    """A network under bfloat16 autocast. Weights of linear layers are stored as bfloat16 to avoid casts per call.

    Args:
        network: The float32 network; its modules are reused and changed in place.
    """

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__(network.trunk, network.head_groups())
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.to(torch.bfloat16)
        self.eval()

    def forward(self, inputs: Any, output_mask: Any = None, hidden: Mapping[int, Any] | None = None) -> list[Any]:
        """Compute the outputs of every task, as float32; arguments as in `MultiTaskNetwork`."""
        device = next(self.parameters()).device.type
        with torch.autocast(device, torch.bfloat16):
            outputs = super().forward(inputs, output_mask, hidden)
        return [None if output is None else _cast_to_float32(output) for output in outputs]


def _cast_to_float32(output: HeadOutput) -> HeadOutput:
    attention = None if output.attention is None else output.attention.float()
    return HeadOutput(output.outputs.float(), attention, output.head_inputs)


def _quantize_int8(network: MultiTaskNetwork) -> MultiTaskNetwork:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that this moves to torchao
        try:
            from torch.ao.quantization import quantize_dynamic

            quantized = quantize_dynamic(network, {nn.Linear, nn.LSTM, nn.GRU}, dtype=torch.qint8, inplace=True)  # type: ignore[no-untyped-call]
        except (ImportError, RuntimeError) as error:
            raise MtlError(f"--precision int8: this installation of torch does not support it: {error}") from error
    assert isinstance(quantized, MultiTaskNetwork)  # noqa: S101  only its submodules are replaced
    return quantized
