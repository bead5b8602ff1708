"""Joint extension: everything is trained, and the result is refused unless the old tasks are shown not to get worse."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from extension_data import predict_bits, read_bits, write_experiment

from mtl_core.experiments.extend import extend_run as extend_run_module
from mtl_core.experiments.extend.known_tasks import KnownTaskResult, compare_known_tasks, format_refusal
from mtl_core.runs.extension_data import prepare_extension
from mtl_core.runs.saved_run import load_run

Mtl = Callable[..., CompletedProcess[str]]
pytestmark = pytest.mark.usefixtures("placeholder_reports")
JOINT = ("--task", "late", "--kind", "binary", "--mode", "joint", "--set", "training.epochs=1")


@pytest.fixture(scope="module")
def joint_run(base_folder: Path, mtl_uncaptured: Mtl) -> Path:
    """The run `base`, extended jointly with a large margin."""
    out = base_folder / "joint"
    result = mtl_uncaptured("extend", base_folder / "base", *JOINT, "--margin", "0.9", "--out", out)
    assert result.returncode == 0, result.stderr
    (base_folder / "joint.txt").write_text(result.stdout)
    return out


def test_everything_is_trained_unlike_in_a_frozen_extension(base_folder: Path, joint_run: Path) -> None:
    before, after = read_bits(base_folder / "base"), read_bits(joint_run)
    trained = [name for name, _ in load_run(base_folder / "base").network.named_parameters()]
    assert trained
    assert not any(after[name] == before[name] for name in trained)
    old_answers, new_answers = (
        predict_bits(run, base_folder / "test.csv") for run in (base_folder / "base", joint_run)
    )
    assert old_answers["sign"] != new_answers["sign"]


def test_it_starts_from_the_weights_of_the_run(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    """Without a step that changes anything, the old answers are those of the run."""
    options = ("--set", "optimizer.lr=1e-30", "--set", "optimizer.weight_decay=0", "--margin", "0.5")
    result = mtl("extend", base_folder / "base", *JOINT, *options, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    before, after = read_bits(base_folder / "base"), read_bits(tmp_path / "out")
    same = [name for name, bits in before.items() if after[name] == bits]
    assert set(before) - set(same) == {name for name in before if "running" in name or "num_batches" in name}


def test_the_message_and_the_file_state_what_was_measured(base_folder: Path, joint_run: Path) -> None:
    text = (base_folder / "joint.txt").read_text()
    assert "tasks of the run, before and after:" in text
    known = json.loads((joint_run / "extension.json").read_text())["known"]
    assert [task["name"] for task in known] == ["sign", "size"]
    for task in known:
        assert task["verdict"] == "non-inferior"
        assert f"{task['name']}: accuracy {task['before']:.4f} before, {task['after']:.4f} after" in text
    metrics = json.loads((joint_run / "metrics.json").read_text())["splits"]["validation"]["tasks"]
    base_metrics = json.loads((base_folder / "base" / "metrics.json").read_text())["splits"]["validation"]["tasks"]
    for task in known:
        assert task["after"] == pytest.approx(metrics[task["name"]]["accuracy"])
        assert task["before"] == pytest.approx(base_metrics[task["name"]]["accuracy"])
        assert task["n_labels"] == base_metrics[task["name"]]["n"]


def test_few_labels_do_not_show_that_nothing_got_worse(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    result = mtl("extend", base_folder / "base", *JOINT, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert not (tmp_path / "out").exists()
    assert "joint training is refused: 2 of 2 tasks of base" in result.stderr
    assert "not shown to stay within the margin" in result.stderr
    assert "labels would show it" in result.stderr
    assert "--force keeps the extended run" in result.stderr


def test_a_task_that_got_worse_is_called_so(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    destructive = ("--set", "optimizer.lr=3", "--set", "tasks.0.weight=0", "--margin", "0.02")
    refused = mtl("extend", base_folder / "base", *JOINT, *destructive, "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert "shown to be worse" in refused.stderr
    assert not (tmp_path / "out").exists()
    forced = mtl("extend", base_folder / "base", *JOINT, *destructive, "--force", "--out", tmp_path / "out")
    assert forced.returncode == 0
    assert "(kept with --force)" in forced.stdout
    assert json.loads((tmp_path / "out" / "extension.json").read_text())["forced"] is True


def test_a_network_is_compared_with_itself(base_folder: Path, joint_run: Path) -> None:
    """The same network twice: no answer differs, and the largest possible loss depends on the number of labels."""
    parent, extended = load_run(base_folder / "base"), load_run(joint_run)
    extension = extended.config.extends
    assert extension is not None
    data = prepare_extension(extended.config, extension)
    for result in compare_known_tasks(parent, parent, data, {"": 0.3}, 0):
        assert (result.n_discordant, result.before) == (0, result.after)
        assert result.verdict == "non-inferior"
        assert result.largest_loss is not None
        assert 0 < result.largest_loss < 5 / result.n_labels
    assert all(result.verdict == "not shown" for result in compare_known_tasks(parent, parent, data, {"": 0.01}, 0))


def test_validation_examples_are_those_of_the_run(base_folder: Path, joint_run: Path, frozen_run: Path) -> None:
    """No example on which the run was trained is used to compare it with the extended run."""
    counts = [
        json.loads((run / "metrics.json").read_text())["data"]["label_counts"]
        for run in (base_folder / "base", joint_run, frozen_run)
    ]
    for split in ("train", "validation", "test"):
        for task in ("sign", "size"):
            assert counts[0][split][task] == counts[1][split][task] == counts[2][split][task]


def test_the_added_task_selects_the_epoch(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    """The validation labels of the old tasks stay unused, so that they can show whether those tasks got worse."""
    result = mtl("extend", base_folder / "base", *JOINT[:-1], "training.epochs=3", "--force", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    lines = [line.split(",") for line in (tmp_path / "out" / "history.csv").read_text().splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    score = next(name for name in lines[0] if name.endswith("late.accuracy"))
    model = json.loads((tmp_path / "out" / "metrics.json").read_text())["model"]
    scores = [float(row[score]) for row in rows]
    assert model["best_score"] == max(scores)
    assert model["best_epoch"] == 1 + scores.index(max(scores))


def test_an_interruption_leaves_nothing(
    base_folder: Path, mtl: Mtl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(extend_run_module, "compare_known_tasks", interrupt)
    result = mtl("extend", base_folder / "base", *JOINT, "--out", tmp_path / "out")
    assert result.returncode == 130
    assert not (tmp_path / "out").exists()


def test_a_killed_joint_training_is_not_resumed(base_folder: Path, joint_run: Path, mtl: Mtl, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    (killed / "config.yaml").write_bytes((joint_run / "config.yaml").read_bytes())
    result = mtl("resume", killed)
    assert (result.returncode, "repeat `mtl extend`" in result.stderr) == (2, True)


def test_runs_without_validation_data(mtl: Mtl, tmp_path: Path) -> None:
    base = tmp_path / "base"
    experiment = write_experiment(tmp_path, split={"type": "random", "validation": 0.0})
    assert mtl("run", experiment, "--set", "training.epochs=1", "--out", base).returncode == 0
    result = mtl("extend", base, *JOINT, "--out", tmp_path / "out")
    assert (result.returncode, "no validation label of sign, size" in result.stderr) == (2, True)
    frozen = mtl("extend", base, *JOINT[:4], "--out", tmp_path / "frozen")
    assert frozen.returncode == 0, frozen.stderr
    assert "without validation labels, nothing is known about its score" in frozen.stdout


def test_the_refusal_says_what_to_do() -> None:
    worse = KnownTaskResult("a", "accuracy", 400, 0.9, 0.7, 0.25, 0.01, "worse", 0.9, 9, 900)
    unknown = KnownTaskResult("b", "accuracy", 0, None, None, None, 0.01, "not shown", 1.0, 0, None)
    message = format_refusal("base", [worse, unknown])
    assert "a: accuracy 0.9000 before, 0.7000 after, on 400 validation labels" in message
    assert "worse by at most 0.2500 (95 %); margin 0.01: shown to be worse" in message
    assert "b: no validation label" in message
    assert "worse: train less" in message
    assert "not shown: the validation data has too few labels" in message
