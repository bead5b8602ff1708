"""Layouts of features: what a shape states, and which backbones and heads a run refuses before training."""

from pathlib import Path

import pytest
import torch

from mtl_core import BackboneSpec, Features, FeatureShape, HeadSpec, MtlError, load_experiment
from mtl_core.builtins.backbones.identity import Identity
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.builtins.heads.linear import Linear
from mtl_core.builtins.heads.token_linear import TokenLinear
from mtl_core.nn.architecture import build_backbone, validate_features
from mtl_core.nn.network import build_head_group
from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.registry import Registry
from mtl_core.testing import backbone_checks, head_checks
from mtl_text.lstm import LSTM

IMAGE = FeatureShape(3, size=(2, 4), image_size=(2, 4))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [(FeatureShape(3), "vector"), (FeatureShape(3, sequence=True), "sequence"), (IMAGE, "spatial")],
)
def test_shape_states_its_layout(shape: FeatureShape, layout: str) -> None:
    assert shape.layout == layout


def test_shape_is_not_both_a_sequence_and_spatial() -> None:
    with pytest.raises(MtlError, match=r"size \(2, 4\) are spatial, so they cannot be a sequence"):
        FeatureShape(3, sequence=True, size=(2, 4))


def test_spatial_features_are_selected_viewed_and_pooled_by_position() -> None:
    values = torch.arange(2 * 3 * 2 * 4, dtype=torch.float32).view(2, 3, 2, 4)
    features = Features(values)
    assert torch.equal(features.mean_pool(), values.mean(dim=(2, 3)))
    assert torch.equal(features.select_rows(torch.tensor([1])).values, values[1:])
    assert features.view().values.shape == values.shape


@pytest.mark.parametrize("values", [torch.zeros(2, 3), torch.zeros(2, 4, 2, 4), torch.zeros(2, 3, 4, 2)])
def test_spatial_features_have_the_declared_channels_and_size(values: torch.Tensor) -> None:
    with pytest.raises(MtlError, match=r"states \(batch, 3, 2, 4\)"):
        validate_features(Features(values), IMAGE)


def test_spatial_features_where_vectors_are_declared_are_refused() -> None:
    with pytest.raises(MtlError, match=r"the backbone returned features of shape \(2, 3, 2, 3\)"):
        validate_features(Features(torch.zeros(2, 3, 2, 3)), FeatureShape(3))


@pytest.mark.parametrize("backbone", [MLP(), LSTM()])
def test_backbone_that_does_not_read_images_is_refused_by_name(backbone: BackboneSpec) -> None:
    message = f"backbone '{backbone.type}' reads one vector per example or .*, but its input is spatial .*identity"
    with pytest.raises(MtlError, match=message):
        build_backbone(backbone, IMAGE)


def test_head_that_does_not_read_images_is_refused_by_name() -> None:
    with pytest.raises(MtlError, match=r"head 'token-linear' reads .*, but its input is spatial .*linear"):
        build_head_group(TokenLinear(), IMAGE, 2, ["a"])


def test_identity_and_linear_read_images() -> None:
    assert build_backbone(Identity(), IMAGE).output == IMAGE
    values = torch.randn(2, 3, 2, 4)
    head = build_head_group(Linear(), IMAGE, 2, ["a"])
    assert torch.allclose(head(Features(values)).outputs, head(Features(values.mean(dim=(2, 3)))).outputs, atol=1e-6)


def test_conformance_suites_check_spatial_features() -> None:
    assert "spatial" in {check.variant for check in backbone_checks(Identity())}
    assert "spatial" in {check.variant for check in head_checks(Linear())}
    assert "everything on spatial" in {skipped.name for skipped in backbone_checks(MLP()).skipped_checks}


PLUGIN = """
from typing import Literal
from mtl_core import {base}, hookimpl
class Mine({base}):
    "Mine."
    type: Literal["mine"] = "mine"
    layouts = frozenset({{"spatal"}})
    def build(self, *arguments):
        raise NotImplementedError
@hookimpl
def mtl_{point}():
    return [Mine]
"""


@pytest.mark.parametrize("base", [BackboneSpec, HeadSpec])
def test_misspelt_layout_of_a_plugin_is_refused(base: type, tmp_path: Path) -> None:
    path, point = tmp_path / "mine.py", base.__name__.removesuffix("Spec").lower() + "s"
    path.write_text(PLUGIN.format(base=base.__name__, point=point), encoding="utf-8")
    plugins = Plugins()
    plugins.add(str(path))
    with pytest.raises(MtlError, match=r"of layout 'spatal', expected .*did you mean 'spatial'"):
        Registry(plugins).require(plugin.name for plugin in plugins.loaded)


WORDS = """
from typing import Literal
from mtl_core import BackboneSpec, EncoderSpec, hookimpl
class Photos(EncoderSpec):
    "Photos."
    type: Literal["photos"] = "photos"
    layout = "spatial"
    def build(self):
        raise NotImplementedError
@hookimpl
def mtl_encoders():
    return [Photos]
"""
EXPERIMENT = """
plugins: [{plugin}]
data: {{type: table, train: {train}, text: text}}
encoder: photos
backbone: {backbone}
tasks: [{{name: topic, kind: classification, head: {head}}}]
"""


@pytest.mark.parametrize(
    ("backbone", "head", "message"),
    [
        ("mlp", "linear", "backbone 'mlp' reads one vector per example or one vector per token, but its input is sp"),
        ("identity", "sequence-decoder", "head 'sequence-decoder' reads .*but its input is spatial .*heads that read"),
    ],
)
def test_mismatch_is_refused_without_reading_the_data(backbone: str, head: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(WORDS, encoding="utf-8")
    (tmp_path / "train.csv").write_text("text,topic\na,b\n", encoding="utf-8")
    experiment = EXPERIMENT.format(
        plugin=tmp_path / "plugin.py", train=tmp_path / "train.csv", backbone=backbone, head=head
    )
    (tmp_path / "experiment.yaml").write_text(experiment, encoding="utf-8")
    with pytest.raises(MtlError, match=message):
        load_experiment(tmp_path / "experiment.yaml")
