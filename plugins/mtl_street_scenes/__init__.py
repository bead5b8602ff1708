"""Street scenes with pedestrians, vehicles, traffic lights and stop signs, drawn by this plugin.

`draw_scene` in `scene.py` draws a scene: a perspective, an empty street (`backdrop.py`), objects (one file per kind)
and things that look like them (`decoys.py`), weather. `canvas.py` paints the image and its mask with the same shapes.
"""

from pathlib import Path

from mtl_core import Commands, LoaderSpec, hookimpl
from mtl_street_scenes.street_scenes import StreetScenes


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [StreetScenes]


@hookimpl
def mtl_experiments() -> Path:
    return Path(__file__).parent / "experiments"


@hookimpl
def mtl_commands() -> list[Commands]:
    return [
        Commands(
            "street-scenes", "Drawn street scenes with labels per image and per pixel.", "mtl_street_scenes.cli:app"
        )
    ]
