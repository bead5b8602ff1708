"""Checks of heads, built as the core builds them: as one module per head group."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import nn

from mtl_core.model.features import Features, FeatureShape
from mtl_core.model.heads import HeadGroup, HeadOutput
from mtl_core.model.network import build_head_group
from mtl_core.specs import HeadSpec
from mtl_core.testing.acceptance import accepted
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.head_parameters import parameters_are_told
from mtl_core.testing.modules import Probe, add_module_checks
from mtl_core.testing.randomness import seeded
from mtl_core.testing.samples import batched, named_shapes, sample_features
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_close, expect_tensor, shown

TASKS = ("first", "second", "third")
OUTPUTS = (1, 2, 5)
"""Numbers of outputs that a head is built with: 1 for a binary task, one per class otherwise."""


def head_checks(
    spec: HeadSpec, shapes: Sequence[FeatureShape] | None, without: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.head_checks`."""
    checks = spec_checks(spec)

    def group(shape: FeatureShape, outputs: int = 3, tasks: Sequence[str] = TASKS) -> HeadGroup:
        return build_head_group(spec, shape, outputs, tasks)

    tried = named_shapes(shapes)
    for variant in accepted(checks, tried, group, "features"):
        probe = Probe(partial(group, tried[variant]), _run, tried[variant], variant, tolerance)
        _add(checks, spec, probe)
    return checks.without(without)


def _add(checks: Checks, spec: HeadSpec, probe: Probe) -> None:
    def add(name: str, what: str, test: Callable[[Probe], None]) -> None:
        checks.add(name, what, lambda: test(probe), probe.variant)

    what = f"It returns the requested number of outputs per {spec.level}, for one task and for several."
    checks.add("shape", what, lambda: _shape(spec, probe.inputs), probe.variant)
    add("attention", "If it returns attention, each row sums to 1 and padding gets none.", _attention)
    add_module_checks(checks, probe)
    add("wanted", "Outputs inside the output mask do not depend on the rest of the mask.", _wanted)
    what = "It declares which parameters belong to which task, so that those of idle tasks do not change."
    add("own-parameters", what, lambda probe: parameters_are_told(probe, len(TASKS)))


def _said(module: nn.Module, features: Features, wanted: torch.Tensor | None = None) -> HeadOutput:
    said = module(features, wanted)
    if not isinstance(said, HeadOutput):
        raise AssertionError(f"expected a head group to return a HeadOutput, found {shown(said)}")
    return said


def _run(module: nn.Module, features: Features) -> list[torch.Tensor]:
    """Return each example's outputs of all tasks and its attention, without padding."""
    said = _said(module, features)
    mask = features.mask
    rows = []
    for place, outputs in enumerate(said.outputs):
        real = outputs[:, mask[place]] if outputs.ndim == 3 and mask is not None else outputs
        parts = [real.flatten()]
        if said.attention is not None and mask is not None:
            parts.append(said.attention[place][:, mask[place]].detach().flatten())
        rows.append(torch.cat(parts))
    return rows


def _shape(spec: HeadSpec, shape: FeatureShape) -> None:
    with seeded(0), torch.no_grad():
        features = batched(sample_features(shape), more=1)
        batch, length = features.values.shape[:2]
        for outputs in OUTPUTS:
            for tasks in (TASKS, TASKS[:1]):
                module = build_head_group(spec, shape, outputs, tasks).eval()
                expect(
                    isinstance(module, HeadGroup),
                    f"expected `build_group` to return a HeadGroup, found {shown(module)}",
                )
                inner = (length, outputs) if spec.level == "token" else (outputs,)
                what = f"the outputs of {len(tasks)} tasks with {outputs} outputs each"
                expect_tensor(_said(module, features).outputs, (batch, len(tasks), *inner), what)


def _attention(probe: Probe) -> None:
    with seeded(0), torch.no_grad():
        features = batched(probe.samples(), more=2)
        attention = _said(probe.ready(), features).attention
        if attention is None:
            return
        mask = features.mask
        if mask is None:
            raise AssertionError("expected no attention for features without tokens, found some")
        expect_tensor(attention, (len(mask), len(TASKS), mask.shape[1]), "the attention: (batch, tasks, length)")
        expect_close(attention.sum(dim=2), torch.ones(len(mask), len(TASKS)), 1e-5, "the sum of the attention")
        expect(not attention[~mask.unsqueeze(1).expand_as(attention)].any(), "expected no attention to padding")
        expect((attention >= 0).all(), "expected no attention below 0")


def _wanted(probe: Probe) -> None:
    with seeded(0), torch.no_grad():
        module = probe.ready()
        features = batched(probe.samples(), more=1)
        every = _said(module, features).outputs
        wanted = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]], dtype=torch.bool)
        for chosen in (wanted, wanted & torch.tensor([True, False, True])):
            found = _said(module, features, chosen).outputs
            expect(
                found.shape == every.shape, f"expected outputs of shape {tuple(every.shape)}, found {shown(found)}"
            )
            for example, task in chosen.nonzero().tolist():
                real = (slice(None),) if every.ndim == 3 or features.mask is None else (features.mask[example],)
                what = f"the output of example {example + 1} for the {TASKS[task]} task, inside the output mask"
                expect_close(found[example, task][real], every[example, task][real], probe.tolerance, what)
