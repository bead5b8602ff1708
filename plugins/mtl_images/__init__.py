"""Image parts: loaders, an encoder with augmentation, a residual CNN, vision encoders of Transformers, a head."""

from pathlib import Path

from mtl_core import BackboneSpec, EncoderSpec, HeadSpec, LoaderSpec, hookimpl
from mtl_images.image import Image
from mtl_images.image_folder import ImageFolder
from mtl_images.mask_folders import MaskFolders
from mtl_images.max_pool import MaxPool
from mtl_images.residual_cnn import ResidualCNN
from mtl_images.vision_model import VisionModel


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [ImageFolder, MaskFolders]


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [Image]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [ResidualCNN, VisionModel]


@hookimpl
def mtl_heads() -> list[type[HeadSpec]]:
    return [MaxPool]


@hookimpl
def mtl_experiments() -> Path:
    return Path(__file__).parent / "experiments"
