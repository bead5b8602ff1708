"""Checks of every torch module that reads features."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from safetensors.torch import load, save
from torch import nn

from mtl_core.nn.features import Features, FeatureShape
from mtl_core.testing.checks import Checks, expect
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.sample_modules import collate_samples, draw_sample_features
from mtl_core.testing.tensors import expect_close, expect_finite, expect_rows

Rows = list[torch.Tensor]


@dataclass(frozen=True)
class ModuleFixture:
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

    def draw_samples(self) -> Rows:
        """Return the sample features of each example."""
        return draw_sample_features(self.inputs)

    def build_module(self, seed: int = 0) -> nn.Module:
        """Return the module in evaluation mode, with weights drawn from a seed."""
        torch.manual_seed(seed)
        return self.build().eval()


def add_module_checks(checks: Checks, fixture: ModuleFixture) -> None:
    """Add the checks that hold for every module that reads features."""

    def add(name: str, description: str, test: Callable[[ModuleFixture], None]) -> None:
        checks.add(name, description, lambda: test(fixture), fixture.variant)

    if fixture.inputs.sequence:
        add("padding", "More padding, with any content, changes no result.", check_padding_invariance)
    else:
        checks.skip(f"padding-{fixture.variant}", "there is no padding where an example is one vector")
    add("batch-order", "An example's result does not depend on its index in the batch.", check_order_invariance)
    add("batch-invariance", "An example's result does not depend on the rest of the batch.", check_batch_invariance)
    add(
        "evaluation",
        "In evaluation mode it draws no random numbers and changes no state.",
        check_evaluation_deterministic,
    )
    add("inputs-unchanged", "It does not change the features: other modules read them too.", check_inputs_unchanged)
    add("seed", "Weights come from torch's generator, other generators are unchanged.", check_seeded_weights)
    add("gradients", "Trainable parameters and incoming features get a finite gradient.", check_gradient_flow)
    add("save-and-load", "Saved as safetensors and loaded again, it returns the same.", check_save_and_load)


def check_padding_invariance(fixture: ModuleFixture) -> None:
    """Compare a batch with wider ones, padded with zeros and with large numbers."""
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        expected = fixture.run(module, collate_samples(fixture.draw_samples()))
        for extra_padding, garbage in ((3, False), (0, True), (3, True)):
            actual = fixture.run(module, collate_samples(fixture.draw_samples(), extra_padding, garbage))
            content = "large numbers" if garbage else "zeros"
            name = f"with {extra_padding} more columns of padding that holds {content}"
            expect_rows(actual, expected, fixture.tolerance, name)


def check_order_invariance(fixture: ModuleFixture) -> None:
    """Compare a batch with the same examples in another order."""
    order = [3, 0, 4, 2, 1]
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        expected = fixture.run(module, collate_samples(fixture.draw_samples()))
        actual = fixture.run(module, collate_samples([fixture.draw_samples()[index] for index in order]))
        expect_rows(actual, [expected[index] for index in order], fixture.tolerance, "in another order")


def check_batch_invariance(fixture: ModuleFixture) -> None:
    """Compare a batch with batches of one example, and with batches of other examples."""
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        expected = fixture.run(module, collate_samples(fixture.draw_samples()))
        single_results = [fixture.run(module, collate_samples([sample]))[0] for sample in fixture.draw_samples()]
        expect_rows(single_results, expected, fixture.tolerance, "in a batch of one")
        other_samples = [sample + 1 for sample in fixture.draw_samples()]
        for index, sample in enumerate(fixture.draw_samples()):
            batch = [*other_samples[:index], sample, *other_samples[index + 1 :]]
            actual = fixture.run(module, collate_samples(batch))[index]
            expect_close(actual, expected[index], fixture.tolerance, f"example {index + 1} among other examples")


def check_evaluation_deterministic(fixture: ModuleFixture) -> None:
    """Run twice, with different random states, and check results, weights, buffers and generators."""
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        before = _copy_state(module)
        with preserves_rng_state():
            first = fixture.run(module, collate_samples(fixture.draw_samples()))
        torch.manual_seed(1)
        expect_rows(
            fixture.run(module, collate_samples(fixture.draw_samples())),
            first,
            0,
            "on a second call in evaluation mode",
        )
        for name, value in module.state_dict().items():
            expect(
                torch.equal(value, before[name]),
                f"expected '{name}' to be unchanged by evaluation, found it changed",
            )


def check_inputs_unchanged(fixture: ModuleFixture) -> None:
    """Compare the features before and after a call in training mode."""
    with temporary_seed(0):
        torch.manual_seed(0)
        module = fixture.build().train()
        features = collate_samples(fixture.draw_samples(), extra_padding=2)
        values, mask = features.values.clone(), None if features.mask is None else features.mask.clone()
        fixture.run(module, features)
        expect(torch.equal(features.values, values), "expected the features to be unchanged, found them changed")
        if mask is not None and features.mask is not None:
            expect(torch.equal(features.mask, mask), "expected the mask to be unchanged, found it changed")


def check_seeded_weights(fixture: ModuleFixture) -> None:
    """Build twice with the same seed, and once with another."""
    with temporary_seed(0):
        with preserves_rng_state(include_torch=False):
            first = fixture.build_module(0)
        generator = torch.get_rng_state()
        second = fixture.build_module(0)
        for (name, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
            expect(torch.equal(one, other), f"expected the same weights from the same seed, found others in '{name}'")
        fixture.build_module(1)
        expect(
            not torch.equal(torch.get_rng_state(), generator),
            "expected weights to be drawn from torch's generator, found that `build` seeds it",
        )


def check_gradient_flow(fixture: ModuleFixture) -> None:
    """Backpropagate random gradients from the result without padding."""
    with temporary_seed(0):
        torch.manual_seed(0)
        module = fixture.build().train()
        features = collate_samples(fixture.draw_samples(), extra_padding=1)
        features.values.requires_grad_()
        results = fixture.run(module, features)
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


def check_save_and_load(fixture: ModuleFixture) -> None:
    """Load a saved state into a module with other weights, and compare results."""
    with temporary_seed(0), torch.no_grad():
        module, other = fixture.build_module(0), fixture.build_module(1)
        other.load_state_dict(load(save(_copy_state(module))))
        expected = fixture.run(module, collate_samples(fixture.draw_samples()))
        expect_rows(fixture.run(other, collate_samples(fixture.draw_samples())), expected, 0, "after loading")


def _copy_state(module: nn.Module) -> dict[str, torch.Tensor]:
    state = {}
    for name, value in module.state_dict().items():
        expect(
            isinstance(value, torch.Tensor),
            f"expected only tensors in the module's state, found a {type(value).__name__} as '{name}'",
        )
        state[name] = value.detach().contiguous().clone()
    return state
