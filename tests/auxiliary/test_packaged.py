"""The packaged experiment, the hooks, and the use of components of other plugins."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from sentences import OPTIONS_BY_TYPE, ROWS, build_block, build_labels, build_many_rows, load_config, write_rows

import mtl_auxiliary
from mtl_auxiliary.spacy_tagger import tag_words
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry
from mtl_core.runs.run import run_experiment

pytestmark = pytest.mark.usefixtures("shared_pipelines")

PACKAGE = Path(mtl_auxiliary.__file__).parent
EXPERIMENT = PACKAGE / "experiments" / "auxiliary-sample.yaml"
FAMILIES = {
    "statistical": {"word-frequency", "part-of-speech", "sentence-length"},
    "selective unsupervised": {"opinion-words"},
    "supervised": {"aspect-presence", "adversarial", "auxiliary-target"},
    "unsupervised": {"masked-tokens", "bag-of-words", "reconstruction"},
}
PIPELINE = Path(__file__).parents[3] / "shared" / "models" / "en_core_web_md"


def test_every_family_is_registered_and_documented() -> None:
    specs = Registry(load_plugins()).get_specs("auxiliary_tasks")
    for family, names in FAMILIES.items():
        for name in names:
            assert str(specs[name][0].spec.__doc__).lower().startswith(family), name
    assert set(OPTIONS_BY_TYPE) == set().union(*FAMILIES.values()) <= set(specs)


def test_the_packaged_experiment_has_a_task_of_every_family_and_runs(tmp_path: Path) -> None:
    loaded = load_experiment("auxiliary-sample", ["training.epochs=1"])
    used = {spec.type for spec in loaded.config.auxiliary}
    assert all(used & names for names in FAMILIES.values())
    assert any(spec.schedule.type != "constant" for spec in loaded.config.auxiliary)
    run_experiment(loaded.config, tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert set(metrics["auxiliary"]) == used
    assert metrics["splits"]["validation"]["tasks"].keys() == {"sentiment"}


def test_sample_is_found_in_an_installation(tmp_path: Path) -> None:
    """A wheel installs the packages side by side, as in the checkout."""
    data = yaml.safe_load(EXPERIMENT.read_text(encoding="utf-8"))["data"]
    for package in ("mtl_auxiliary", "mtl_text"):
        shutil.copytree(PACKAGE.parent / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    check_inputs(load_experiment(tmp_path / "mtl_auxiliary" / "experiments" / EXPERIMENT.name))
    assert {Path(data[part]).parts[:3] for part in ("train", "test")} == {("..", "..", "mtl_text")}


def test_auxiliary_tasks_work_with_components_of_other_plugins(tmp_path: Path) -> None:
    pytest.importorskip("absa_plugin")
    write_rows(tmp_path, build_many_rows())
    blocks = [
        build_block("opinion-words", head={"type": "attention", "key_dim": 3, "hidden_dim": 3}),
        build_block("adversarial", head={"type": "attention", "key_dim": 3, "hidden_dim": 3}, save_head=True),
        build_block("word-frequency"),
        build_block("masked-tokens"),
    ]
    parts: dict[str, Any] = {
        "encoder": {"type": "spacy", "dimensions": 5, "drop": ["punctuation"]},
        "backbone": {"type": "bilstm", "hidden_dim": 4},
    }
    run_experiment(load_config(tmp_path, blocks, **parts), tmp_path / "run")
    scores = json.loads((tmp_path / "run" / "metrics.json").read_text())["splits"]["test"]["auxiliary"]
    assert all(score["n"] for score in scores.values())


def test_adversary_of_data_sets_learns_from_all_data_sets(tmp_path: Path) -> None:
    write_rows(tmp_path, build_many_rows())
    table = {"type": "table", "train": "data.csv", "split": "split", "text": "text", "labels": ["mood"]}
    blocks: dict[str, Any] = {"data": None, "data_sets": {"first": table, "second": table}}
    run_experiment(load_config(tmp_path, [{"type": "adversarial", "source": True}], **blocks), tmp_path / "run")
    score = json.loads((tmp_path / "run" / "metrics.json").read_text())["splits"]["test"]["auxiliary"]["adversarial"]
    assert score["n"] == 24
    assert len(score["confusion"]) == 2


@pytest.mark.shared
def test_a_real_pipeline_tags_words() -> None:
    if not PIPELINE.is_dir():
        pytest.skip(f"{PIPELINE.name} not found in shared/ beside the checkout")
    words = ["The", "waiter", "was", "very", "rude", "."]
    assert tag_words(str(PIPELINE), [words, [], words], fine=False) == [
        tags := ["DET", "NOUN", "AUX", "ADV", "ADJ", "PUNCT"],
        [],
        tags,
    ]
    assert tag_words(str(PIPELINE), [words], fine=True) == [["DT", "NN", "VBD", "RB", "JJ", "."]]


@pytest.mark.shared
def test_a_real_pipeline_labels_the_sentences(tmp_path: Path) -> None:
    if not PIPELINE.is_dir():
        pytest.skip(f"{PIPELINE.name} not found in shared/ beside the checkout")
    task_labels = build_labels(tmp_path, {"type": "part-of-speech", "pipeline": str(PIPELINE)})["part-of-speech"]
    assert [len(label) for label in task_labels if isinstance(label, list)] == [
        len(row[1].replace(".", " .").split()) for row in ROWS
    ]
    assert task_labels[0] == ["ADJ", "ADJ", "NOUN"]
