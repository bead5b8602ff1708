"""Features of several tasks as one tensor."""

import pytest
import torch

from mtl_core import Features, FeatureShape, MtlError
from mtl_core.builtins.heads.linear import Linear
from mtl_core.builtins.heads.token_linear import TokenLinear
from mtl_core.nn import TaskFeatures
from mtl_core.nn.network import build_head_group, build_stacked_heads
from mtl_core.plugins.specs import HeadSpec

ACTIVE = [True, False, True, True]
MASK = torch.arange(6) < torch.tensor([[1], [2], [6], [4], [3]])
CASES = {
    "vectors": (Linear(), FeatureShape(4), (5, 4), None),
    "tokens": (Linear(), FeatureShape(4, sequence=True), (5, 6, 4), MASK),
    "images": (Linear(), FeatureShape(4, size=(2, 3)), (5, 4, 2, 3), None),
    "outputs per token": (TokenLinear(), FeatureShape(4, sequence=True), (5, 6, 4), MASK),
}


def draw(n_tasks: int, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(n_tasks, *shape, generator=torch.Generator().manual_seed(0))


def test_it_is_a_sequence_of_features_per_task() -> None:
    values = draw(3, (5, 4))
    features = TaskFeatures(values, ACTIVE)
    assert len(features) == 4
    assert features[1] is None
    for task, row in ((0, 0), (2, 1), (3, 2), (-1, 2)):
        one = features[task]
        assert one is not None
        assert torch.equal(one.values, values[row])
    assert [one is None for one in features] == [False, True, False, False]


@pytest.mark.parametrize(("first", "last"), [(0, 4), (0, 2), (1, 4), (2, 4), (1, 2)])
def test_selected_tasks_have_the_same_features(first: int, last: int) -> None:
    features = TaskFeatures(draw(3, (5, 4)), ACTIVE)
    selected = features.select_tasks(first, last)
    assert selected.active == ACTIVE[first:last]
    for one, other in zip(selected, features[first:last], strict=True):
        assert (one is None) == (other is None)
        assert one is None or other is None or torch.equal(one.values, other.values)


@pytest.mark.parametrize("name", CASES)
def test_pooled_vectors_are_those_of_each_task(name: str) -> None:
    _, _, shape, mask = CASES[name]
    features = TaskFeatures(draw(3, shape), ACTIVE, mask)
    expected = torch.stack([one.mean_pool() for one in features if one is not None])
    torch.testing.assert_close(features.mean_pool(), expected)
    stacked = TaskFeatures.stack(list(features))
    assert stacked.active == ACTIVE
    assert torch.equal(stacked.values, features.values)


@pytest.mark.parametrize("active", [[True] * 4, ACTIVE, [False, False, True, False]])
@pytest.mark.parametrize("name", CASES)
def test_a_head_group_reads_the_features_of_each_task(name: str, active: list[bool]) -> None:
    spec, shape, size, mask = CASES[name]
    group = build_head_group(spec, shape, 2, ["a", "b", "c", "d"]).eval()
    features = TaskFeatures(draw(sum(active), size), active, mask)
    outputs = group(features).outputs
    for task, one in enumerate(features):
        if one is None:
            assert not outputs[:, task].any()
        else:
            torch.testing.assert_close(outputs[:, task], group(one).outputs[:, task])


def test_all_tasks_have_the_same_dropout_mask_whichever_are_active() -> None:
    group = build_head_group(Linear(dropout=0.5), FeatureShape(4), 2, ["a", "b", "c", "d"]).train()
    values = draw(4, (5, 4))
    outputs = []
    for active in ([True] * 4, [False, True, True, False]):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            features = TaskFeatures(values[torch.tensor(active)], active)
            outputs.append(group(features).outputs[:, 1])
    torch.testing.assert_close(*outputs)
    assert not torch.allclose(outputs[0], group.eval()(Features(values[1])).outputs[:, 1])


def test_wrong_number_of_rows_is_reported() -> None:
    with pytest.raises(MtlError, match=r"expected features of 3 active tasks, found a tensor of shape \(2, 5, 4\)"):
        TaskFeatures(draw(2, (5, 4)), ACTIVE)


class SharedLayer(Linear):
    """Wrongly states that all of its parameters are stacked."""

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int):  # type: ignore[no-untyped-def]
        group = super().build_group(inputs, outputs, tasks)
        group.shared = torch.nn.Linear(2, 2)
        return group


def test_a_shared_parameter_is_reported() -> None:
    spec: HeadSpec = SharedLayer()
    with pytest.raises(MtlError, match="`stacked_parameters` must return all of its 4 parameters, found 2"):
        build_stacked_heads(spec, FeatureShape(4), 2, ["a", "b"], lambda name: None)
