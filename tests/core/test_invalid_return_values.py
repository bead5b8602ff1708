"""Components of a plugin with invalid return values: a message names them; there is no traceback."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from toy import toy_config

from mtl_core import AuxiliarySpec, AuxiliaryTask, Binary, FeatureShape, HeadSpec, MetricSpec, MtlError, hookimpl
from mtl_core.builtins.heads.linear import Linear
from mtl_core.data.prepare import prepare
from mtl_core.nn.network import build_head_group
from mtl_core.plugins.active_registry import use_registry
from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.registry import Registry
from mtl_core.runs.run import run_experiment


class CustomAuxiliary(AuxiliarySpec):
    """Returns the tasks that the test builds."""

    type: Literal["helping"] = "helping"

    def build_tasks(self, data: Any) -> Any:
        """Return the value of the test."""
        return BUILD_TASKS[0](len(data.corpus))


BUILD_TASKS: list[Callable[[int], Any]] = []


def _build_task(labels: Sequence[str]) -> AuxiliaryTask:
    return AuxiliaryTask("helping", Binary(classes=["no", "yes"]), Linear(), labels)


@pytest.mark.parametrize(
    ("build_tasks", "message"),
    [
        (lambda examples: _build_task(["no"] * examples), "expected a list of AuxiliaryTask"),
        (lambda examples: [["no"] * examples], "expected a list of AuxiliaryTask"),
        (
            lambda examples: [_build_task(["no"] * (examples - 1))],
            r"returned \d+ labels, expected \d+: one per example",
        ),
    ],
    ids=["no list", "no task", "too few labels"],
)
def test_auxiliary_spec_returns_tasks_with_one_label_per_example(
    build_tasks: Callable[[int], Any], message: str, tmp_path: Path
) -> None:
    BUILD_TASKS[:] = [build_tasks]
    config = toy_config(tmp_path).model_copy(update={"auxiliary": [CustomAuxiliary()]})
    with pytest.raises(MtlError, match=message):
        prepare(config)


class Vector(MetricSpec):
    """Declares a scalar and computes a vector."""

    type: Literal["vector"] = "vector"

    def build(self, space: Any) -> Any:
        """Return one score per class."""
        from torchmetrics.classification import MulticlassF1Score

        return MulticlassF1Score(len(space.classes), average=None)


def test_scalar_metric_returns_one_number(tmp_path: Path) -> None:
    config = toy_config(tmp_path)
    task = config.tasks[0]
    kind: Any = task.kind
    kind = kind.model_copy(update={"metrics": [*kind.metrics, Vector()]})
    config = config.model_copy(update={"tasks": [task.model_copy(update={"kind": kind})]})
    plugins = Plugins.load_installed()
    plugins.add_parts([Vector])
    with (
        use_registry(Registry(plugins)),
        pytest.raises(MtlError, match=r"metric 'vector': returned a tensor of shape \(3,\), but its `scalar`"),
    ):
        run_experiment(config, tmp_path / "run")


class Misspelt(HeadSpec):
    """An unknown level."""

    type: Literal["misspelt"] = "misspelt"
    level = "tokens"  # type: ignore[assignment]

    def build(self, inputs: Any, outputs: int) -> Any:
        """Never called."""


def test_misspelt_level_is_reported_at_registration() -> None:
    plugins = Plugins()
    plugins.add_object(SimpleNamespace(mtl_heads=hookimpl(lambda: [Misspelt])), "mine")
    broken = Registry(plugins).broken
    assert len(broken) == 1
    assert "level 'tokens', expected example, token or pixel; did you mean 'token'?" in broken[0].reason


class ForTokens(HeadSpec):
    """Does not reject vectors."""

    type: Literal["for-tokens"] = "for-tokens"
    level = "token"

    def build(self, inputs: Any, outputs: int) -> Any:
        """Return a linear layer."""
        return torch.nn.Linear(inputs.width, outputs)


def test_token_head_is_refused_without_tokens() -> None:
    with pytest.raises(MtlError, match="the head 'for-tokens' returns one output per token, but the backbone"):
        build_head_group(ForTokens(), FeatureShape(4, sequence=False), 2, ["task"])
