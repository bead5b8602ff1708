"""Recurrent backbones and attention heads: padding has no effect, and outputs match reference formulas."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812

from absa_plugin.attention_pooling import Attention
from absa_plugin.attention_pooling_module import AttentionPoolingGroup
from absa_plugin.masked_softmax import masked_softmax
from absa_plugin.recurrent import BiGRU, BiLSTM
from absa_plugin.self_attention import SelfAttention
from absa_plugin.self_attention_module import SelfAttentionHead
from absa_plugin.spacy_encoder import SpacyEncoder
from mtl_core import BackboneSpec, Features, FeatureShape, MtlError
from mtl_core.builtins.architectures.hard_sharing import HardSharing
from mtl_core.builtins.backbones.identity import Identity
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.builtins.heads.linear import Linear
from mtl_core.builtins.losses.cross_entropy import CrossEntropy
from mtl_core.builtins.optimizers import SGD, Adam, AdamW
from mtl_core.data.batches import Examples
from mtl_core.evaluation.inference import run_network
from mtl_core.nn.architecture import NetworkParts, build_backbone
from mtl_core.nn.heads import HeadGroup, HeadOutput, SeparateHeads
from mtl_core.nn.network import MultiTaskNetwork, build_head_group
from mtl_core.plugins.specs import HeadSpec, OptimizerSpec
from mtl_core.training.freeze_unlabelled import freeze_unlabelled_tasks
from mtl_core.training.losses import GroupLoss

WIDTH = 8
SHAPE = FeatureShape(WIDTH, sequence=True)

BACKBONES: dict[str, BackboneSpec] = {
    "bilstm": BiLSTM(hidden_dim=5),
    "bilstm, two layers": BiLSTM(hidden_dim=5, layers=2, dropout=0.3, input_dropout=0.3),
    "bigru": BiGRU(hidden_dim=5),
    "mlp": MLP(hidden_dims=[6]),
    "identity": Identity(),
}
HEADS: dict[str, HeadSpec] = {
    "attention, grouped": Attention(key_dim=4, hidden_dim=5, dropout=0.3),
    "attention, shared layers": Attention(key_dim=4, hidden_dim=5, dropout=0.3, shared_layers=True),
    "attention, separate": Attention(key_dim=4, hidden_dim=5, grouped=False),
    "self-attention, grouped": SelfAttention(attention_heads=2, hidden_dim=5),
    "self-attention, separate": SelfAttention(attention_heads=2, hidden_dim=5, grouped=False),
    "linear": Linear(),
}
TASK_COUNTS = [1, 2, 20]


def draw_features(lengths: list[int], longest: int = 0, padding: float = 0.0, seed: int = 0) -> Features:
    """Draw random tokens; they depend on the seed only, not on the amount of padding."""
    random = torch.Generator().manual_seed(seed)
    tokens = torch.randn(len(lengths), 40, WIDTH, generator=random)
    longest = max([*lengths, longest])
    mask = torch.arange(longest) < torch.tensor(lengths).unsqueeze(1)
    return Features(tokens[:, :longest].masked_fill(~mask.unsqueeze(-1), padding), mask)


def build_heads(spec: HeadSpec, tasks: int, shape: FeatureShape = SHAPE, outputs: int = 3) -> HeadGroup:
    with torch.random.fork_rng():
        torch.manual_seed(tasks)
        group = build_head_group(spec, shape, outputs, [f"t{task}" for task in range(tasks)])
    for parameter in group.parameters():  # also biases, so that no error is masked by a zero
        with torch.no_grad():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) / 5)
    return group.eval()


class FeatureInput(nn.Module):
    """An input layer for batches that already are features."""

    output = SHAPE

    def forward(self, features: Features) -> Features:
        return features


def build_network(
    groups: Sequence[HeadGroup], spec: BackboneSpec, input_layer: Callable[[], nn.Module] = FeatureInput
) -> MultiTaskNetwork:
    parts = NetworkParts(input_layer, lambda shape: build_backbone(spec, shape))
    return MultiTaskNetwork(HardSharing().build(parts, ["t0", "t1"]), groups)


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0)


def build_module(spec: BackboneSpec) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return spec.build(SHAPE).eval()


batch_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)
@settings(max_examples=15, deadline=None)
@given(lengths=batch_lengths, extra=st.integers(0, 9), data=st.data())
def test_padding_and_order_change_no_token_of_a_backbone(
    backbone: BackboneSpec, lengths: list[int], extra: int, data: st.DataObject
) -> None:
    module = build_module(backbone)
    plain = module(draw_features(lengths))
    padded = module(draw_features(lengths, max(lengths) + extra, padding=data.draw(st.sampled_from([0.0, 7.0]))))
    order = torch.tensor(data.draw(st.permutations(range(len(lengths)))))
    permuted = module(Features(draw_features(lengths).values[order], draw_features(lengths).mask[order]))  # type: ignore[index]
    for row, length in enumerate(lengths):
        single = module(
            Features(draw_features(lengths).values[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool))
        )
        assert_close(plain.values[row, :length], single.values[0])
        assert_close(padded.values[row, :length], single.values[0])
        assert_close(permuted.values[int((order == row).nonzero())][:length], single.values[0])
    assert padded.mask.sum(dim=1).tolist() == lengths
    assert module.output == FeatureShape(plain.values.shape[2], sequence=True)


@pytest.mark.parametrize("spec", [BiLSTM(hidden_dim=5), BiGRU(hidden_dim=5)], ids=lambda spec: spec.type)
def test_recurrent_backbone_is_bidirectional_and_returns_zeros_at_padding(spec: BackboneSpec) -> None:
    module = build_module(spec)
    states = module(draw_features([4, 2], padding=7.0))
    assert not states.values[~states.mask].any()
    changed = draw_features([4, 2])
    changed.values[0, 1] += 1.0
    has_changed = (module(changed).values - module(draw_features([4, 2])).values).abs().sum(dim=2) > 0
    assert has_changed[0].tolist() == [True] * 4  # earlier and later tokens
    assert not has_changed[1].any()


@pytest.mark.parametrize("tasks", TASK_COUNTS)
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@settings(max_examples=8, deadline=None)
@given(lengths=batch_lengths, extra=st.integers(0, 9), padding=st.sampled_from([0.0, 7.0]), data=st.data())
def test_padding_and_order_change_no_output_of_a_head(
    head: HeadSpec, tasks: int, lengths: list[int], extra: int, padding: float, data: st.DataObject
) -> None:
    group = build_heads(head, tasks)
    plain = group(draw_features(lengths))
    assert plain.outputs.shape == (len(lengths), tasks, 3)
    padded = group(draw_features(lengths, max(lengths) + extra, padding))
    assert_close(padded.outputs, plain.outputs)
    order = torch.tensor(data.draw(st.permutations(range(len(lengths)))))
    permuted = group(Features(draw_features(lengths).values[order], draw_features(lengths).mask[order]))  # type: ignore[index]
    assert_close(permuted.outputs, plain.outputs[order])
    for row, length in enumerate(lengths):
        single = Features(
            draw_features(lengths).values[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool)
        )
        assert_close(group(single).outputs[0], plain.outputs[row])


@pytest.mark.parametrize("tasks", TASK_COUNTS)
@pytest.mark.parametrize("name", [name for name in HEADS if "attention" in name])
def test_attention_sums_to_one_and_is_zero_at_padding(name: str, tasks: int) -> None:
    lengths = [6, 3, 1]
    output = build_heads(HEADS[name], tasks)(draw_features(lengths, 9, padding=5.0))
    assert output.attention.shape == (3, tasks, 9)
    assert_close(output.attention.sum(dim=2), torch.ones(3, tasks))
    for row, length in enumerate(lengths):
        assert (output.attention[row, :, :length] > 0).all()
        assert (output.attention[row, :, length:] == 0).all()


@settings(max_examples=40, deadline=None)
@given(lengths=batch_lengths, parts=st.sampled_from([1, 2, 4, 8]), seed=st.integers(0, 2**31))
def test_self_attention_equals_torch_attention_and_mean_pooling(lengths: list[int], parts: int, seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = SelfAttentionHead(SHAPE, 3, parts, 5, 0.2).double().eval()
        for parameter in head.parameters():
            nn.init.normal_(parameter, std=0.5)
    features = draw_features(lengths, max(lengths) + 2, padding=3.0, seed=seed)
    values, mask = features.values.double(), features.mask
    assert mask is not None
    tokens_first = values.transpose(0, 1)
    states, attention = F.multi_head_attention_forward(
        tokens_first,
        tokens_first,
        tokens_first,
        embed_dim_to_check=WIDTH,
        num_heads=parts,
        in_proj_weight=torch.cat([head.query_key.weight, head.value.weight]),
        in_proj_bias=torch.cat([head.query_key.bias, head.value.bias]),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=head.project.weight,
        out_proj_bias=head.project.bias,
        training=False,
        key_padding_mask=~mask,
    )
    tokens = mask.double().unsqueeze(-1)
    mean = (states.transpose(0, 1) * tokens).sum(dim=1) / tokens.sum(dim=1)
    output = head(Features(values, mask))
    torch.testing.assert_close(output.outputs, head.layers(mean), atol=1e-9, rtol=1e-9)
    assert attention is not None
    torch.testing.assert_close(output.attention, (attention * tokens).sum(dim=1) / tokens.sum(dim=1))


def test_self_attention_gradients_equal_finite_differences() -> None:
    torch.manual_seed(0)
    head = SelfAttentionHead(SHAPE, 3, 2, 5, 0.0).double()
    features = Features(draw_features([4, 2]).values.double(), draw_features([4, 2]).mask)
    head(features).outputs.pow(2).sum().backward()
    gradients = {
        name: parameter.grad.clone() for name, parameter in head.named_parameters() if parameter.grad is not None
    }
    assert gradients.keys() == dict(head.named_parameters()).keys()
    step = 1e-6
    for name, parameter in head.named_parameters():
        index = tuple(0 for _ in parameter.shape)
        with torch.no_grad():
            parameter[index] += step
            above = head(features).outputs.pow(2).sum()
            parameter[index] -= 2 * step
            below = head(features).outputs.pow(2).sum()
            parameter[index] += step
        assert float((above - below) / (2 * step)) == pytest.approx(
            float(gradients[name][index]), rel=1e-4, abs=1e-7
        ), name


@pytest.mark.parametrize("tasks", TASK_COUNTS)
def test_attention_pooling_group_matches_the_formula_per_task(tasks: int) -> None:
    group = build_heads(HEADS["attention, grouped"], tasks)
    assert isinstance(group, AttentionPoolingGroup)
    lengths = [5, 1, 3]
    features = draw_features(lengths)
    output = group(features)
    for task in range(tasks):
        for row, length in enumerate(lengths):
            tokens = features.values[row, :length]
            attention = torch.softmax(torch.tanh(group.keys(tokens)) @ group.queries[task], dim=0)
            hidden = torch.relu(attention @ tokens @ group.hidden_weight[task] + group.hidden_bias[task])
            assert_close(output.outputs[row, task], hidden @ group.output_weight[task] + group.output_bias[task])
            assert_close(output.attention[row, task, :length], attention)


def test_group_of_one_task_equals_a_single_head() -> None:
    torch.manual_seed(3)
    single_head = Attention(key_dim=4, hidden_dim=5).build(SHAPE, 3).eval()
    group = build_heads(HEADS["attention, grouped"], 1)
    group.load_state_dict({name.removeprefix("group."): value for name, value in single_head.state_dict().items()})
    output: HeadOutput = single_head(draw_features([4, 2]))
    assert_close(output.outputs, group(draw_features([4, 2])).outputs[:, 0])
    assert output.attention is not None
    assert_close(output.attention, group(draw_features([4, 2])).attention[:, 0])


def test_grouped_option_selects_a_group_or_separate_heads() -> None:
    grouped, separate = build_heads(HEADS["attention, grouped"], 4), build_heads(HEADS["attention, separate"], 4)
    assert isinstance(grouped, AttentionPoolingGroup)
    assert isinstance(separate, SeparateHeads)
    heads: list[Any] = list(separate.heads.values())
    assert len({id(head.group.keys) for head in heads}) == 4


@pytest.mark.parametrize("tasks", TASK_COUNTS)
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_masked_outputs_equal_unmasked_outputs(head: HeadSpec, tasks: int) -> None:
    group = build_heads(head, tasks)
    features = draw_features([6, 1, 3, 2])
    output_mask = torch.rand(4, tasks, generator=torch.Generator().manual_seed(tasks)) < 0.5
    output_mask[0, 0] = True
    assert_close(group(features, output_mask).outputs[output_mask], group(features).outputs[output_mask])


def test_outputs_do_not_depend_on_the_batch_of_a_text() -> None:
    words = [f"word{number}" for number in range(40)]
    encoder = SpacyEncoder(dimensions=WIDTH).build()
    texts = [" ".join(words[start : start + length]) for start, length in zip(range(30), [9, 1, 5] * 10, strict=True)]
    encoder.fit(encoder.parse(texts))
    torch.manual_seed(0)
    groups = [build_heads(head, 2, FeatureShape(10, sequence=True)) for head in HEADS.values()]
    network = build_network(groups, BiLSTM(hidden_dim=5), encoder.input_layer).eval()
    items = encoder.encode(encoder.parse(texts))
    lengths = np.array([encoder.length(item) for item in items])
    rows = np.random.default_rng(0).permutation(30)[:25]
    predicted_rows: list[int] = []
    for batch_outputs in run_network(network, Examples(encoder, items, lengths, []), rows, torch.device("cpu")):
        predicted_rows += batch_outputs.rows.tolist()
        for index, row in enumerate(batch_outputs.rows):
            single_outputs = network(encoder.collate([items[row]]))
            for group, single_output in zip(batch_outputs.groups, single_outputs, strict=True):
                assert group is not None
                assert_close(group.outputs[index], single_output.outputs[0].detach())
                assert (group.attention is None) == (single_output.attention is None)
                if group.attention is not None:
                    n_tokens = single_output.attention.shape[2]
                    assert_close(group.attention[index, :, :n_tokens], single_output.attention[0].detach())
                    assert not group.attention[index, :, n_tokens:].any()
    assert sorted(predicted_rows) == sorted(rows.tolist())


OPTIMIZERS: list[OptimizerSpec] = [Adam(weight_decay=0.1), AdamW(weight_decay=0.1), SGD(weight_decay=0.1)]


@pytest.mark.parametrize("warm", [0, 3])
@pytest.mark.parametrize("optimizer_spec", OPTIMIZERS, ids=lambda spec: spec.type)
def test_an_idle_task_of_the_attention_group_keeps_its_rows(optimizer_spec: OptimizerSpec, warm: int) -> None:
    group = build_heads(Attention(key_dim=4, hidden_dim=5), 3).train()
    assert isinstance(group, AttentionPoolingGroup)
    network = build_network([group], Identity())
    optimizer = optimizer_spec.build(network.parameters())
    loss = GroupLoss(CrossEntropy().build(), [None] * 3)
    targets = torch.tensor([[0, 1, 2], [1, 2, 0], [2, 0, 1]])

    def step(*idle: int) -> None:
        mask = torch.ones(3, 3, dtype=torch.bool)
        mask[:, list(idle)] = False
        optimizer.zero_grad()
        losses = loss(network(draw_features([5, 3, 2]), [mask])[0].outputs, targets, mask)
        losses.values.sum().backward()
        with freeze_unlabelled_tasks(network, [losses.counts], optimizer):
            optimizer.step()

    def get_task_state(task: int) -> list[torch.Tensor]:
        tensors = []
        for parameter in group.stacked_parameters():
            state = [
                v for v in optimizer.state[parameter].values() if torch.is_tensor(v) and v.shape == parameter.shape
            ]
            tensors += [tensor[task].detach().clone() for tensor in (parameter, *state)]
        return tensors

    for _ in range(warm):
        step()
    weights = [parameter[1].detach().clone() for parameter in group.stacked_parameters()]
    step(1)
    assert all(torch.equal(p[1], old) for p, old in zip(group.stacked_parameters(), weights, strict=True))
    before = [get_task_state(task) for task in range(3)]
    keys = group.keys.weight.detach().clone()
    step(1)
    assert all(torch.equal(new, old) for new, old in zip(get_task_state(1), before[1], strict=True))
    assert not torch.equal(group.keys.weight, keys)
    for task in (0, 2):
        assert not any(torch.equal(new, old) for new, old in zip(get_task_state(task), before[task], strict=True))
    step()
    assert not any(torch.equal(new, old) for new, old in zip(get_task_state(1), before[1], strict=True))


@settings(max_examples=40, deadline=None)
@given(lengths=batch_lengths, scale=st.sampled_from([0.0, 1.0, 1e4]))
def test_masked_softmax_equals_softmax_over_valid_tokens(lengths: list[int], scale: float) -> None:
    features = draw_features(lengths)
    scores = features.values.transpose(1, 2) * scale
    attention = masked_softmax(scores, features.mask)
    for row, length in enumerate(lengths):
        assert_close(attention[row, :, :length], torch.softmax(scores[row, :, :length], dim=-1))
        assert not attention[row, :, length:].any()
    assert_close(masked_softmax(scores, None), torch.softmax(scores, dim=-1))


@pytest.mark.parametrize("spec", [Attention(), SelfAttention(), BiLSTM(), BiGRU()], ids=lambda spec: spec.type)
def test_sequence_modules_reject_single_vectors(spec: HeadSpec | BackboneSpec) -> None:
    vector = FeatureShape(8, sequence=False)
    build_part: Callable[[], object] = (
        (lambda: spec.build(vector))
        if isinstance(spec, BackboneSpec)
        else (lambda: build_head_group(spec, vector, 2, "ab"))
    )
    with pytest.raises(MtlError, match=r"reads (tokens|sequences), but the (backbone|encoder) returns one vector"):
        build_part()


def test_self_attention_rejects_an_indivisible_width() -> None:
    with pytest.raises(MtlError, match="cannot divide 8 features into 3 parts"):
        SelfAttention(attention_heads=3).build(SHAPE, 2)


def test_group_layers_are_initialized_like_linear_layers() -> None:
    torch.manual_seed(0)
    group = AttentionPoolingGroup(FeatureShape(100, True), 50, 20, 4, 64, 0.0)
    for weight, width in ((group.hidden_weight, 100), (group.output_weight, 64)):
        bound = 1 / math.sqrt(width)
        assert weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_shared_layers_get_gradients_from_all_tasks() -> None:
    head = AttentionPoolingGroup(SHAPE, 2, 3, 4, 5, 0.0, shared_layers=True)
    task_specific = {id(parameter) for parameter in head.stacked_parameters()}
    shared = [parameter for name, parameter in head.named_parameters() if name.startswith("shared.")]
    assert len(shared) == 4
    assert not task_specific & {id(parameter) for parameter in shared}
    for task in range(3):
        head.zero_grad()
        head(draw_features([3, 5])).outputs[:, task].sum().backward()
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in shared)
        assert not head.output_bias.grad[[other for other in range(3) if other != task]].any()  # type: ignore[index]


def test_shared_layers_need_a_group() -> None:
    with pytest.raises(ValueError, match="`shared_layers` are shared by the tasks of a group"):
        Attention(shared_layers=True, grouped=False)
