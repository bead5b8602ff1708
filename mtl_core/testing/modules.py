"""Checks of every torch module that reads features."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from safetensors.torch import load, save
from torch import nn

from mtl_core.model.features import Features, FeatureShape
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.samples import batched, sample_features
from mtl_core.testing.tensors import expect_close, expect_finite, expect_rows

Rows = list[torch.Tensor]


@dataclass(frozen=True)
class Probe:
    """A module under test.

    Attributes:
        build: Builds the module, with weights drawn from torch's global generator.
        run: Returns the module's result for each example of a batch, without padding.
        inputs: The shape of the features that it reads.
        variant: The name of the kind of input.
        tolerance: Tolerance for numbers that should be equal.
    """

    build: Callable[[], nn.Module]
    run: Callable[[nn.Module, Features], Rows]
    inputs: FeatureShape
    variant: str
    tolerance: float = 1e-6

    def samples(self) -> Rows:
        """Return the sample features of each example."""
        return sample_features(self.inputs)

    def ready(self, seed: int = 0) -> nn.Module:
        """Return the module in evaluation mode, with weights drawn from a seed."""
        torch.manual_seed(seed)
        return self.build().eval()


def add_module_checks(checks: Checks, probe: Probe) -> None:
    """Add the checks that hold for every module that reads features."""

    def add(name: str, what: str, test: Callable[[Probe], None]) -> None:
        checks.add(name, what, lambda: test(probe), probe.variant)

    if probe.inputs.sequence:
        add("padding", "More padding, with any content, changes no result.", padding_changes_nothing)
    else:
        checks.leave_out(f"padding-{probe.variant}", "there is no padding where an example is one vector")
    add("batch-order", "An example's result does not depend on its index in the batch.", order_changes_nothing)
    add("batch-company", "An example's result does not depend on the rest of the batch.", company_changes_nothing)
    add("evaluation", "In evaluation mode it draws no random numbers and changes no state.", evaluation_repeats)
    add("inputs-kept", "It does not change the features: other modules read them too.", inputs_are_kept)
    add("seed", "Weights come from torch's generator, other generators are unchanged.", weights_come_from_the_seed)
    add("gradients", "Trainable parameters and incoming features get a finite gradient.", gradients_flow)
    add("save-and-load", "Saved as safetensors and loaded again, it returns the same.", saved_and_loaded)


def padding_changes_nothing(probe: Probe) -> None:
    """Compare a batch with wider ones, padded with zeros and with large numbers."""
    with seeded(0), torch.no_grad():
        module = probe.ready()
        expected = probe.run(module, batched(probe.samples()))
        for more, garbage in ((3, False), (0, True), (3, True)):
            found = probe.run(module, batched(probe.samples(), more, garbage))
            content = "large numbers" if garbage else "zeros"
            what = f"with {more} more columns of padding that holds {content}"
            expect_rows(found, expected, probe.tolerance, what)


def order_changes_nothing(probe: Probe) -> None:
    """Compare a batch with the same examples in another order."""
    order = [3, 0, 4, 2, 1]
    with seeded(0), torch.no_grad():
        module = probe.ready()
        expected = probe.run(module, batched(probe.samples()))
        found = probe.run(module, batched([probe.samples()[place] for place in order]))
        expect_rows(found, [expected[place] for place in order], probe.tolerance, "in another order")


def company_changes_nothing(probe: Probe) -> None:
    """Compare a batch with batches of one example, and with batches of other examples."""
    with seeded(0), torch.no_grad():
        module = probe.ready()
        expected = probe.run(module, batched(probe.samples()))
        alone = [probe.run(module, batched([sample]))[0] for sample in probe.samples()]
        expect_rows(alone, expected, probe.tolerance, "in a batch of one")
        others = [sample + 1 for sample in probe.samples()]
        for place, sample in enumerate(probe.samples()):
            batch = [*others[:place], sample, *others[place + 1 :]]
            found = probe.run(module, batched(batch))[place]
            expect_close(found, expected[place], probe.tolerance, f"example {place + 1} among other examples")


def evaluation_repeats(probe: Probe) -> None:
    """Run twice, with different random states, and check results, weights, buffers and generators."""
    with seeded(0), torch.no_grad():
        module = probe.ready()
        before = _copied(module)
        with left_alone():
            first = probe.run(module, batched(probe.samples()))
        torch.manual_seed(1)
        expect_rows(probe.run(module, batched(probe.samples())), first, 0, "on a second call in evaluation mode")
        for name, value in module.state_dict().items():
            expect(
                torch.equal(value, before[name]),
                f"expected '{name}' to be unchanged by evaluation, found it changed",
            )


def inputs_are_kept(probe: Probe) -> None:
    """Compare the features before and after a call in training mode."""
    with seeded(0):
        torch.manual_seed(0)
        module = probe.build().train()
        features = batched(probe.samples(), more=2)
        values, mask = features.values.clone(), None if features.mask is None else features.mask.clone()
        probe.run(module, features)
        expect(torch.equal(features.values, values), "expected the features to be unchanged, found them changed")
        if mask is not None and features.mask is not None:
            expect(torch.equal(features.mask, mask), "expected the mask to be unchanged, found it changed")


def weights_come_from_the_seed(probe: Probe) -> None:
    """Build twice with the same seed, and once with another."""
    with seeded(0):
        with left_alone(torch_too=False):
            first = probe.ready(0)
        generator = torch.get_rng_state()
        again = probe.ready(0)
        for (name, one), other in zip(first.state_dict().items(), again.state_dict().values(), strict=True):
            expect(
                torch.equal(one, other), f"expected the same weights from the same seed, found others in '{name}'"
            )
        probe.ready(1)
        expect(
            not torch.equal(torch.get_rng_state(), generator),
            "expected weights to be drawn from torch's generator, found that `build` seeds it",
        )


def gradients_flow(probe: Probe) -> None:
    """Backpropagate random gradients from the result without padding."""
    with seeded(0):
        torch.manual_seed(0)
        module = probe.build().train()
        features = batched(probe.samples(), more=1)
        features.values.requires_grad_()
        results = probe.run(module, features)
        total = torch.stack([(result * torch.randn_like(result)).sum() for result in results]).sum()
        expect(total.requires_grad, "expected a differentiable result, found one without `requires_grad`")
        total.backward()  # type: ignore[no-untyped-call]
        check_gradients(module)
        expect(features.values.grad is not None, "expected a gradient at the incoming features, found none")
        assert features.values.grad is not None  # noqa: S101  just checked
        expect_finite(features.values.grad, "the gradient at the incoming features")
        expect(features.values.grad.any(), "expected a gradient at the incoming features, found zeros")


def check_gradients(module: nn.Module) -> None:
    """Check the gradient of every trainable parameter.

    Raises:
        AssertionError: If a gradient is missing or not finite.
    """
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            expect(parameter.grad is not None, f"expected a gradient at the parameter '{name}', found none")
            assert parameter.grad is not None  # noqa: S101  just checked
            expect_finite(parameter.grad, f"the gradient at the parameter '{name}'")


def saved_and_loaded(probe: Probe) -> None:
    """Load a saved state into a module with other weights, and compare results."""
    with seeded(0), torch.no_grad():
        module, other = probe.ready(0), probe.ready(1)
        other.load_state_dict(load(save(_copied(module))))
        expected = probe.run(module, batched(probe.samples()))
        expect_rows(probe.run(other, batched(probe.samples())), expected, 0, "after loading")


def _copied(module: nn.Module) -> dict[str, torch.Tensor]:
    state = {}
    for name, value in module.state_dict().items():
        expect(
            isinstance(value, torch.Tensor),
            f"expected only tensors in the module's state, found a {type(value).__name__} as '{name}'",
        )
        state[name] = value.detach().contiguous().clone()
    return state
