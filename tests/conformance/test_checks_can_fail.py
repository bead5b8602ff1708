"""Every check of every suite fails for a component with the fault of that name, and passes for a correct one."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from wrong_data import LINES, WrongAuxiliary, WrongEncoder, WrongLoader, WrongSplitter
from wrong_labels import WrongKind, WrongLoss, WrongMask, WrongMetric
from wrong_modules import WrongArchitecture, WrongBackbone, WrongHead
from wrong_specs import WRONG
from wrong_trackers import WrongTracker
from wrong_training import WrongClassWeights, WrongOptimizer, WrongSampling, WrongSchedule
from wrong_weightings import WrongWeighting

from mtl_core import FeatureShape, testing
from mtl_core.builtins.backbones import MLP
from mtl_core.builtins.heads import TokenLinear
from mtl_core.builtins.splitters import Stratified
from mtl_core.plugins import Plugins
from mtl_core.registry import Registry
from mtl_core.testing import Check, Checks, report
from mtl_text.lstm import LSTM

Suite = Callable[..., Checks]
SUITES: dict[Suite, type[Any]] = {
    testing.architecture_checks: WrongArchitecture,
    testing.auxiliary_checks: WrongAuxiliary,
    testing.backbone_checks: WrongBackbone,
    testing.class_weights_checks: WrongClassWeights,
    testing.encoder_checks: WrongEncoder,
    testing.head_checks: WrongHead,
    testing.loader_checks: WrongLoader,
    testing.loss_checks: WrongLoss,
    testing.loss_mask_checks: WrongMask,
    testing.metric_checks: WrongMetric,
    testing.optimizer_checks: WrongOptimizer,
    testing.sampling_checks: WrongSampling,
    testing.schedule_checks: WrongSchedule,
    testing.splitter_checks: WrongSplitter,
    testing.task_kind_checks: WrongKind,
    testing.tracker_checks: WrongTracker,
    testing.weighting_checks: WrongWeighting,
}
DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = '''
from typing import Literal
from mtl_core import ScheduleSpec
from mtl_core.testing import report, spec_checks

class Mine(ScheduleSpec):
    """Constant."""
    type: Literal["mine"] = "mine"
    def factor(self, step, total):
        return 1.0

if __name__ == "__main__":
    report(spec_checks(Mine()))
'''
HERE = {"light-import": "this test imports torch anyway"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "lines.csv"
    path.write_text(LINES, encoding="utf-8")
    return path


def checks_of(suite: Suite, lines: Path, wrong: str = "") -> Checks:
    """Return the checks of a suite for the component of this suite, with a fault or without one."""
    given: dict[str, Any] = {"train": lines} if suite is testing.loader_checks else {}
    return suite(SUITES[suite](wrong=wrong, **given), without=HERE)


def names(suite: Suite, folder: Path) -> list[str]:
    own = [check.name for check in checks_of(suite, folder)]
    return [name for name in dict.fromkeys(own) if name not in WRONG]


def failed(check: Check) -> str:
    with pytest.raises(AssertionError) as caught:
        check.run()
    return str(caught.value)


def complaint(check: Check) -> str:
    try:
        check.run()
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.__name__)
def test_a_right_part_passes(suite: Suite, lines: Path) -> None:
    for check in checks_of(suite, lines):
        check.run()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.__name__)
def test_each_check_is_failed_by_the_part_that_is_wrong_in_its_way(suite: Suite, lines: Path) -> None:
    found = names(suite, lines)
    assert found
    for name in found:
        meant = [check for check in checks_of(suite, lines, wrong=name) if check.name == name]
        assert meant, f"no check named '{name}' for a component with this fault"
        messages = {check: message for check in meant if (message := complaint(check))}
        assert messages, f"the check '{name}' passes for a component with this fault"
        for check, message in messages.items():
            assert message.startswith(f"{check}: "), message
            assert message.endswith(f"\n({check.what})"), message


@pytest.mark.parametrize("name", WRONG)
def test_each_check_of_specs_is_failed(name: str) -> None:
    [check] = [check for check in testing.spec_checks(WRONG[name]) if check.name == name]
    assert "expected" in failed(check) or name in {"schema", "read-again"}


def test_the_checks_of_specs_are_all_tried() -> None:
    assert {check.name for check in testing.spec_checks(MLP)} == set(WRONG)


def test_what_a_part_refuses_is_left_out_with_its_words() -> None:
    checks = testing.head_checks(TokenLinear())
    assert not [check for check in checks if check.variant == "vectors"]
    [left] = checks.left_out
    assert left.name == "everything on vectors"
    assert "returns one output per token" in left.reason


def test_a_part_that_refuses_everything_does_not_pass() -> None:
    checks = testing.backbone_checks(LSTM(), shapes=[FeatureShape(4, sequence=False)])
    [check] = [check for check in checks if check.name == "accepts"]
    assert "found all refused" in failed(check)


def test_an_author_leaves_checks_out_by_name_and_reason() -> None:
    checks = testing.backbone_checks(MLP(), without={"padding": "no padding here"})
    assert "padding" not in {check.name for check in checks}
    assert ("padding", "no padding here") in {(left.name, left.reason) for left in checks.left_out}


def test_suites_that_are_put_together_keep_what_they_left_out() -> None:
    one, other = testing.head_checks(TokenLinear()), testing.backbone_checks(LSTM())
    both = one + other
    assert list(both) == [*one, *other]
    assert both.left_out == [*one.left_out, *other.left_out]
    assert len(set(map(str, both))) == len(both)
    assert one.left_out != both.left_out


@pytest.mark.parametrize(
    ("without", "message"),
    [({"paddings": "none"}, "did you mean 'padding'"), ({"padding": " "}, "needs a reason")],
)
def test_what_is_left_out_must_exist_and_have_a_reason(without: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        testing.backbone_checks(MLP(), without=without)


def test_the_report_tells_what_ran_what_failed_and_what_did_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(testing.backbone_checks(MLP()))
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "26 checks, 0 failed"
    assert sum(line.startswith("ok        mlp-") for line in said) == 26
    assert "skipped   padding-vectors: there is no padding where an example is one vector" in said
    assert not report(testing.backbone_checks(WrongBackbone(wrong="evaluation"), without=HERE))
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("FAILED    wrong-backbone-evaluation-tokens: expected") for line in said)


def test_a_check_of_nothing_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert not report([])


def test_checks_leave_random_state_as_they_found_it() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    for checks in (testing.head_checks(TokenLinear(dropout=0.5)), testing.splitter_checks(Stratified())):
        for check in checks:
            check.run()
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_suites_can_be_named_without_torch() -> None:
    script = "import sys, mtl_core.testing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("suite", [testing.spec_checks, *SUITES], ids=lambda suite: suite.__name__)
def test_every_check_is_documented(suite: Suite, lines: Path) -> None:
    page = (DOCS / "how-to" / "test-a-plugin.md").read_text(encoding="utf-8")
    assert f"`{suite.__name__}`" in page
    assert f"::: mtl_core.testing.{suite.__name__}\n" in (DOCS / "reference" / "testing.md").read_text(
        encoding="utf-8"
    )
    for name in WRONG if suite is testing.spec_checks else names(suite, lines):
        assert f"`{name}`" in page, name


@pytest.fixture(scope="module")
def refused() -> Registry:
    """Components that a run rejects during training; see `test_part_mistakes.py`."""
    plugins = Plugins()
    plugins.add(str(Path(__file__).parents[1] / "core" / "wrong_parts.py"))
    return Registry(plugins)


@pytest.mark.parametrize("what", ["length", "one row", "too wide", "nothing", "tuple", "classes", "no module"])
def test_a_head_that_a_run_would_refuse_is_caught_before(what: str, refused: Registry) -> None:
    checks = testing.head_checks(refused.find("heads", "wrong")(what=what), without=HERE)
    caught = {check.name for check in checks if complaint(check)}
    assert caught & {"accepts", "shape"}


@pytest.mark.parametrize("tensor", [True, False])
def test_a_backbone_that_a_run_would_refuse_is_caught_before(tensor: bool, refused: Registry) -> None:
    checks = testing.backbone_checks(refused.find("backbones", "wrong")(tensor=tensor), without=HERE)
    assert "shape" in {check.name for check in checks if complaint(check)}


@pytest.mark.parametrize("flat", [True, False])
def test_a_mask_that_a_run_would_refuse_is_caught_before(flat: bool, refused: Registry) -> None:
    checks = testing.loss_mask_checks(refused.find("loss_masks", "wrong")(flat=flat), without=HERE)
    assert "shape" in {check.name for check in checks if complaint(check)}


def test_a_spec_of_a_script_is_imported_from_its_file(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ok        mine-light-import" in done.stdout
    script.write_text("import torch\n" + SCRIPT, encoding="utf-8")
    heavy = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert "found that it imports torch" in heavy.stdout
    typed = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert "skipped   light-import: it is not defined in a file" in typed.stdout
