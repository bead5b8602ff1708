"""Augmentation of a batch of images."""

import torch

from mtl_images.augmentation import Augmentation


def augment_batch(
    images: torch.Tensor, options: Augmentation, fill: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Flip, shift and brighten images at random, each by its own draws from torch's global generator.

    Args:
        images: `(batch, channels, height, width)`, uint8.
        options: Which changes, and how large they are.
        fill: `(channels,)`, uint8: the color of pixels that are shifted in.

    Returns:
        The augmented images, and the index of the source of each pixel, `(batch, height * width)`, int64, row by row;
        -1 for a pixel from outside the image. None instead of indices if no pixel can move.
    """
    pixel_indices = None
    if options.moves_pixels:
        pixel_indices = draw_pixel_indices(images.shape, options)
        images = move_pixels(images, pixel_indices, fill)
    if options.brightness:
        factors = 1 + (2 * torch.rand(len(images), 1, 1, 1) - 1) * options.brightness
        images = (images * factors).round_().clamp_(0, 255).to(torch.uint8)
    return images, pixel_indices


def draw_pixel_indices(shape: torch.Size, options: Augmentation) -> torch.Tensor:
    """Draw the source of each pixel, `(batch, height * width)`, int64; -1 for outside."""
    batch, _, height, width = shape
    rows = torch.arange(height).expand(batch, -1)
    columns = torch.arange(width).expand(batch, -1)
    if options.shift:
        offsets = torch.randint(-options.shift, options.shift + 1, (2, batch, 1))
        rows, columns = rows + offsets[0], columns + offsets[1]
    if options.horizontal_flip:
        is_flipped = torch.rand(batch, 1) < 0.5
        columns = torch.where(is_flipped, width - 1 - columns, columns)
    is_inside = ((rows >= 0) & (rows < height)).unsqueeze(2) & ((columns >= 0) & (columns < width)).unsqueeze(1)
    indices = rows.unsqueeze(2) * width + columns.unsqueeze(1)
    return torch.where(is_inside, indices, -1).flatten(1)


def move_pixels(images: torch.Tensor, pixel_indices: torch.Tensor, fill: torch.Tensor) -> torch.Tensor:
    """Return images in which each pixel has the color of its source, or `fill` if it has none."""
    indices = pixel_indices.clamp(min=0).unsqueeze(1).expand(-1, images.shape[1], -1)
    moved = images.flatten(2).gather(2, indices)
    outside = (pixel_indices < 0).unsqueeze(1)
    return torch.where(outside, fill.view(1, -1, 1), moved).view_as(images)
