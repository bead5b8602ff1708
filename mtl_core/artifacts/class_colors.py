"""The colors of classes in pictures of masks."""

from colorsys import hsv_to_rgb

Color = tuple[int, int, int]
"""Red, green and blue, from 0 to 255."""
UNLABELLED_COLOR: Color = (0, 0, 0)
"""The color of pixels without a label."""
FIRST_COLORS: tuple[Color, ...] = (
    (156, 196, 232),
    (150, 110, 92),
    (208, 200, 186),
    (92, 92, 98),
    (240, 72, 160),
    (44, 98, 230),
    (250, 196, 20),
    (222, 34, 30),
    (46, 150, 74),
    (130, 80, 190),
)
GOLDEN_RATIO = 0.618034


def get_class_color(index: int) -> Color:
    """Return the color of a class: a fixed one for the first classes, hues far from each other for further ones."""
    if index < len(FIRST_COLORS):
        return FIRST_COLORS[index]
    channels = hsv_to_rgb(index * GOLDEN_RATIO % 1, 0.45 + 0.2 * (index % 3), 0.95 - 0.2 * (index % 2))
    red, green, blue = (round(255 * channel) for channel in channels)
    return red, green, blue
