"""Runs on images: train, resume, predict, report; alone and as one of several columns."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import yaml
from image_files import BLUE, RED, write_image
from PIL import Image as Pillow
from test_training import Interrupt, InterruptAfter, read_results

from mtl_core.artifacts.mistakes import Mistake
from mtl_core.config.load import load_experiment
from mtl_core.reporting.run.mistakes_section import build_mistakes_section
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.thumbnails import MAX_SIDE, build_thumbnail, shrink
from mtl_images.image import Image

Mtl = Callable[..., CompletedProcess[str]]
EXPERIMENT: dict[str, Any] = {
    "data": {"type": "image-folder", "train": "train", "test": "test"},
    "split": {"type": "random", "validation": 0.2},
    "encoder": {"type": "image", "size": 8, "augmentation": {"shift": 1, "brightness": 0.2, "horizontal_flip": True}},
    "backbone": {"type": "residual-cnn", "channels": [4, 8]},
    "optimizer": {"type": "adam", "lr": 0.01},
    "tasks": [{"name": "label", "kind": "classification", "head": "linear"}],
    "training": {"epochs": 2, "batch_size": 8, "checkpoint_steps": 1},
}


def write_experiment(folder: Path, **blocks: Any) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT | blocks), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with images of two colors; the labels of some test images are wrong."""
    random = np.random.default_rng(0)
    for split, count in (("train", 14), ("test", 4)):
        for label, color in (("red", RED), ("blue", BLUE)):
            for number in range(count):
                noisy = tuple(np.clip(np.array(color) + random.integers(-40, 40, 3), 0, 255).tolist())
                write_image(tmp_path / split / label / f"{number}.png", noisy, size=(10, 9))
    write_image(tmp_path / "test" / "red" / "wrong.png", BLUE)
    return tmp_path


def test_interrupted_run_resumes_to_the_same_bits(project: Path) -> None:
    config = load_experiment(write_experiment(project)).config
    run_experiment(config, project / "whole")
    for events in (2, 4):  # within the first epoch, and after its last batch
        with pytest.raises(Interrupt):
            run_experiment(config, project / f"cut-{events}", InterruptAfter(events))
        resume_run(project / f"cut-{events}")
        assert read_results(project / f"cut-{events}") == read_results(project / "whole")


def test_images_in_files_train_to_the_same_bits_as_images_in_memory(project: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("red", "blue"):  # 24 images of 256 x 256 pixels need 4.7 MB
        for number in range(12):
            pixels = random.integers(0, 256, (256, 256, 3), dtype=np.uint8)
            (project / "large" / label).mkdir(parents=True, exist_ok=True)
            Pillow.fromarray(pixels).save(project / "large" / label / f"{number}.png")
    weights = []
    for memory_mb in (100, 1):
        encoder = {"type": "image", "size": 256, "memory_mb": memory_mb, "augmentation": {"shift": 4}}
        backbone = {"type": "residual-cnn", "channels": [2, 4], "stem_stride": 4}
        data = {"type": "image-folder", "train": "large"}
        path = write_experiment(project, data=data, encoder=encoder, backbone=backbone)
        run_experiment(load_experiment(path).config, project / f"run-{memory_mb}")
        weights.append((project / f"run-{memory_mb}" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_run_predicts_from_paths_and_shows_mistakes_as_images(project: Path, mtl: Mtl) -> None:
    write_experiment(project, training={"epochs": 8, "batch_size": 4})
    mtl("run", str(project / "experiment.yaml"), "--out", str(project / "run"))
    paths = [str(project / "test" / name / "0.png") for name in ("red", "blue")]
    (project / "paths.txt").write_text("\n".join(paths), encoding="utf-8")
    output = mtl("predict", str(project / "run"), "--input", str(project / "paths.txt"), "--json").stdout
    records = [json.loads(line) for line in output.splitlines()]
    assert [record["tasks"]["label"]["label"] for record in records] == ["red", "blue"]
    assert [record["text"] for record in records] == paths
    mistakes = [json.loads(line) for line in (project / "run" / "mistakes.jsonl").read_text("utf-8").splitlines()]
    assert [mistake["id"] for mistake in mistakes] == ["red/wrong.png"]
    content = base64.b64decode(mistakes[0]["image"].removeprefix("data:image/png;base64,"))
    picture = Pillow.open(io.BytesIO(content))
    assert picture.size == (8, 8)
    assert picture.getpixel((4, 4)) == BLUE
    page = (project / "run" / "report.html").read_text(encoding="utf-8")
    assert f'<img class="thumbnail" src="{mistakes[0]["image"]}"' in page
    assert "img-src data:" in page
    assert "not a text" not in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no image", r"notes\.png: not an image"),
        (None, r"no such image"),
    ],
)
def test_file_that_is_no_image_ends_the_prediction(
    content: bytes | None, message: str, project: Path, mtl: Mtl
) -> None:
    path = write_experiment(project, training={"epochs": 1, "batch_size": 8})
    run_experiment(load_experiment(path).config, project / "run")
    if content is not None:
        (project / "notes.png").write_bytes(content)
    (project / "paths.txt").write_text(str(project / "notes.png"), encoding="utf-8")
    result = mtl("predict", str(project / "run"), "--input", str(project / "paths.txt"))
    assert result.returncode == 2
    assert re.search(message, " ".join(result.stderr.replace("│", "").split()))
    assert "Traceback" not in result.stderr


def test_damaged_training_image_ends_the_run_before_training(project: Path, mtl: Mtl) -> None:
    path = project / "train" / "red" / "3.png"
    path.write_bytes(path.read_bytes()[:45])
    write_experiment(project)
    result = mtl("run", str(project / "experiment.yaml"), "--out", str(project / "run"))
    assert result.returncode == 2
    assert "3.png: the image is damaged" in " ".join(result.stderr.replace("│", "").split())
    assert not (project / "run" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"backbone": {"type": "mlp"}}, "the backbone 'mlp' reads one vector per example or one vector per token, but"),
        (
            {"tasks": [{"name": "label", "kind": "classification", "head": "sequence-decoder"}]},
            "the head 'sequence-decoder'",
        ),
    ],
)
def test_parts_that_do_not_read_images_are_refused_by_validate(
    blocks: dict[str, Any], message: str, project: Path, mtl: Mtl
) -> None:
    path = write_experiment(project, **blocks)
    result = mtl("validate", str(path))
    assert result.returncode == 2
    assert message in " ".join(result.stderr.replace("│", "").split())


def test_image_is_one_of_several_columns(project: Path, mtl: Mtl) -> None:
    rows = ["photo,price,label,split"]
    for label in ("red", "blue"):
        rows += [f"train/{label}/{number}.png,{number},{label},train" for number in range(14)]
        rows += [f"test/{label}/{number}.png,{number},{label},test" for number in range(4)]
    rows.append(",3,red,train")
    (project / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = {
        "type": "table",
        "train": "table.csv",
        "inputs": {"photo": "image", "price": "number"},
        "labels": ["label"],
        "split": "split",
    }
    columns = {"photo": EXPERIMENT["encoder"], "price": {"type": "number"}}
    encoder = {"type": "columns", "columns": columns}
    path = write_experiment(project, data=data, encoder=encoder, training={"epochs": 6, "batch_size": 4})
    run_experiment(load_experiment(path).config, project / "run")
    metrics = json.loads((project / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["splits"]["test"]["tasks"]["label"]["accuracy"] == 1.0


def test_thumbnails_are_small() -> None:
    image = np.zeros((300, 200, 3), dtype=np.uint8)
    image[:150] = 255
    small = shrink(image)
    assert small.shape == (75, 50, 3)
    assert (small[0] == 255).all()
    assert (small[-1] == 0).all()
    assert shrink(np.zeros((1000, 3, 1), dtype=np.uint8)).shape[0] <= MAX_SIDE
    grayscale = Image(size=4, color_mode="grayscale").build()
    [parsed] = grayscale.parse([np.full((4, 4), 9, dtype=np.uint8)])
    url = build_thumbnail(grayscale, parsed)
    assert url is not None
    picture = Pillow.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert (picture.mode, picture.getpixel((1, 1))) == ("L", 9)


def test_mistake_without_a_text_is_named_by_its_id() -> None:
    mistake = Mistake(task="t", id="7", text="", label="a", gold="b", confidence=0.9)
    section = build_mistakes_section([mistake], 1)
    assert section is not None
    [quote] = section.blocks[1].quotes  # type: ignore[union-attr]
    assert quote.spans[0].text == "example 7"


def test_server_reads_images_from_data_urls_but_no_files(project: Path) -> None:
    testclient = pytest.importorskip("fastapi.testclient")
    path = write_experiment(project, training={"epochs": 8, "batch_size": 4})
    run_experiment(load_experiment(path).config, project / "run")
    image = project / "test" / "red" / "0.png"
    url = "data:image/png;base64," + base64.b64encode(image.read_bytes()).decode()
    from mtl_core.serving.limits import Limits
    from mtl_core.serving.server import load_app

    with testclient.TestClient(load_app(project / "run", limits=Limits())) as client:
        response = client.post("/predict", json={"text": url})
        assert response.json()["tasks"]["label"]["label"] == "red"
        refused = client.post("/predict", json={"text": str(image)})
    assert refused.status_code == 422
    assert "a server reads no files that its clients name" in refused.text
    (project / "test").rename(project / "moved")  # no example is left: the server starts with a blank image
    with testclient.TestClient(load_app(project / "run", limits=Limits())) as client:
        assert client.get("/health").status_code == 200
