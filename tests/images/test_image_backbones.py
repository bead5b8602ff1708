"""The residual network and vision encoders of Transformers: shapes, features, refusals."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_core import Features, FeatureShape, MtlError
from mtl_images.residual_cnn import ResidualCNN
from mtl_images.vision_model import VisionModel

VIT = {
    "model_type": "vit",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "image_size": 16,
    "patch_size": 8,
}
CONVNEXT = {"model_type": "convnext", "num_stages": 2, "hidden_sizes": [8, 16], "depths": [1, 1]}
SWIN = {
    "model_type": "swin",
    "image_size": 16,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [1, 1],
    "num_heads": [1, 2],
    "window_size": 2,
}


def build_image(height: int, width: int, channels: int = 3) -> FeatureShape:
    return FeatureShape(channels, size=(height, width), image_size=(height, width))


@pytest.mark.parametrize(
    ("keys", "image", "size"),
    [
        ({}, (32, 32), (8, 8)),
        ({"stem_stride": 2}, (64, 48), (8, 6)),
        ({"channels": [8, 16]}, (7, 9), (4, 5)),
        ({"channels": [8], "stem_stride": 4}, (9, 9), (3, 3)),
    ],
)
def test_residual_network_states_the_size_of_its_output(
    keys: dict[str, Any], image: tuple[int, int], size: tuple[int, int]
) -> None:
    backbone: Any = ResidualCNN(output="spatial", **keys).build(build_image(*image))
    assert backbone.output.size == size
    assert backbone.output.image_size == image
    values = backbone(Features(torch.randn(2, 3, *image))).values
    assert values.shape == (2, backbone.output.width, *size)
    pooled: Any = ResidualCNN(**keys).build(build_image(*image))
    assert pooled.output == FeatureShape(backbone.output.width, image_size=image)
    pooled.load_state_dict(backbone.state_dict())
    backbone.eval()
    images = Features(torch.randn(2, 3, *image))
    torch.testing.assert_close(pooled.eval()(images).values, backbone(images).values.mean(dim=(2, 3)))


def test_blocks_add_their_input() -> None:
    backbone: Any = ResidualCNN(channels=[8], blocks=2, output="spatial").build(build_image(4, 4)).eval()
    block = backbone.layers[-1]
    values = torch.rand(2, 8, 4, 4)
    torch.nn.init.zeros_(block.layers[-2].weight)
    torch.testing.assert_close(block(values), values)


@pytest.mark.parametrize(
    ("keys", "image", "message"),
    [
        ({}, (3, 32), "makes images 4 times smaller, but they have 3 x 32 pixels"),
        ({"channels": [8, 16]}, (2, 2), "reduces images to one position, where `normalization: batch` cannot train"),
    ],
)
def test_images_that_are_too_small(keys: dict[str, Any], image: tuple[int, int], message: str) -> None:
    with pytest.raises(MtlError, match=message):
        ResidualCNN(**keys).build(build_image(*image))


@pytest.mark.parametrize("model", [VIT, CONVNEXT, SWIN], ids=lambda model: model["model_type"])
@pytest.mark.parametrize("image", [(16, 16), (16, 32)])
def test_vision_models(model: dict[str, Any], image: tuple[int, int]) -> None:
    pytest.importorskip("transformers")
    batch = Features(torch.randn(2, 3, *image))
    backbones = {output: VisionModel(model=model, output=output) for output in ("pooled", "spatial", "tokens")}
    built: dict[str, Any] = {output: spec.build(build_image(*image)) for output, spec in backbones.items()}
    for output, backbone in built.items():
        backbone.load_state_dict(built["pooled"].state_dict())
        assert backbone.output.layout == backbones[output].get_output_layout("spatial")
        assert backbone.output.image_size == image
    results = {output: backbone.eval()(batch) for output, backbone in built.items()}
    size = built["spatial"].output.size
    assert size == (2, 2 * image[1] // image[0])
    assert results["spatial"].values.shape == (2, 16, *size)
    assert results["tokens"].mask is not None
    for output in ("spatial", "tokens"):
        torch.testing.assert_close(results[output].mean_pool(), results["pooled"].values)


def test_pretrained_weights_are_loaded_from_a_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(**VIT))
    model.save_pretrained(tmp_path / "vit")
    shape = build_image(16, 16)
    pretrained: Any = VisionModel(model=tmp_path / "vit").build(shape)
    name = "embeddings.cls_token"
    assert torch.equal(pretrained.model.get_parameter(name), model.get_parameter(name))
    random: Any = VisionModel(model=tmp_path / "vit", pretrained=False).build(shape)
    weights = [backbone.model.embeddings.patch_embeddings.projection.weight for backbone in (pretrained, random)]
    assert not torch.equal(*weights)


def test_frozen_model_is_not_trained() -> None:
    pytest.importorskip("transformers")
    backbone: Any = VisionModel(model=VIT, trainable=False).build(build_image(16, 16)).train()
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not backbone.model.training


@pytest.mark.parametrize(
    ("model", "channels", "message"),
    [
        ({"model_type": "bert"}, 3, "a model of type 'bert' is no vision encoder"),
        ({"model_type": "vitt"}, 3, "cannot build the model: Unrecognized model identifier"),
        ({}, 3, "cannot build the model"),
        (VIT, 1, r"does not read images of 16 x 16 pixels and 1 channels"),
        (Path("/nowhere"), 3, r"/nowhere: expected a model's folder, with its config\.json"),
    ],
)
def test_models_that_do_not_fit(model: Any, channels: int, message: str) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(MtlError, match=message):
        VisionModel(model=model).build(build_image(16, 16, channels))
