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
from wrong_modules import WrongArchitecture, WrongBackbone, WrongFusion, WrongHead
from wrong_specs import WRONG
from wrong_trackers import WrongTracker
from wrong_training import WrongClassWeights, WrongOptimizer, WrongSampling, WrongSchedule
from wrong_weightings import WrongWeighting

from mtl_core import FeatureShape, testing
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.builtins.heads.token_linear import TokenLinear
from mtl_core.builtins.splitters.stratified import Stratified
from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.registry import Registry
from mtl_core.testing import Check, Checks, report
from mtl_text.lstm import LSTM

Suite = Callable[..., Checks]
SUITES: dict[Suite, type[Any]] = {
    testing.architecture_checks: WrongArchitecture,
    testing.auxiliary_checks: WrongAuxiliary,
    testing.backbone_checks: WrongBackbone,
    testing.class_weights_checks: WrongClassWeights,
    testing.encoder_checks: WrongEncoder,
    testing.fusion_checks: WrongFusion,
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
    def compute_factor(self, step, total):
        return 1.0

if __name__ == "__main__":
    report(spec_checks(Mine()))
'''
SKIPPED = {"light-import": "this test imports torch anyway"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "lines.csv"
    path.write_text(LINES, encoding="utf-8")
    return path


def build_checks(suite: Suite, lines: Path, wrong: str = "") -> Checks:
    """Return the checks of a suite for the component of this suite, with a fault or without one."""
    required_keys: dict[str, Any] = {"train": lines} if suite is testing.loader_checks else {}
    return suite(SUITES[suite](wrong=wrong, **required_keys), skip=SKIPPED)


def list_check_names(suite: Suite, folder: Path) -> list[str]:
    check_names = [check.name for check in build_checks(suite, folder)]
    return [name for name in dict.fromkeys(check_names) if name not in WRONG]


def get_failure(check: Check) -> str:
    with pytest.raises(AssertionError) as excinfo:
        check.run()
    return str(excinfo.value)


def get_message(check: Check) -> str:
    try:
        check.run()
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.__name__)
def test_correct_component_passes(suite: Suite, lines: Path) -> None:
    for check in build_checks(suite, lines):
        check.run()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.__name__)
def test_each_check_fails_for_its_fault(suite: Suite, lines: Path) -> None:
    check_names = list_check_names(suite, lines)
    assert check_names
    for name in check_names:
        matching_checks = [check for check in build_checks(suite, lines, wrong=name) if check.name == name]
        assert matching_checks, f"no check named '{name}' for a component with this fault"
        messages = {check: message for check in matching_checks if (message := get_message(check))}
        assert messages, f"the check '{name}' passes for a component with this fault"
        for check, message in messages.items():
            assert message.startswith(f"{check}: "), message
            assert message.endswith(f"\n({check.description})"), message


@pytest.mark.parametrize("name", WRONG)
def test_each_check_of_specs_fails(name: str) -> None:
    [check] = [check for check in testing.spec_checks(WRONG[name]) if check.name == name]
    assert "expected" in get_failure(check) or name in {"schema", "round-trip"}


def test_all_checks_of_specs_are_tested() -> None:
    assert {check.name for check in testing.spec_checks(MLP)} == set(WRONG)


def test_refused_inputs_are_skipped_with_the_message() -> None:
    checks = testing.head_checks(TokenLinear())
    assert not [check for check in checks if check.variant == "vectors"]
    reasons = {skipped.name: skipped.reason for skipped in checks.skipped_checks}
    assert reasons.keys() == {"everything on vectors", "everything on spatial"}
    assert "returns one output per token" in reasons["everything on vectors"]
    assert "its input is spatial features" in reasons["everything on spatial"]


def test_component_that_refuses_all_inputs_fails() -> None:
    checks = testing.backbone_checks(LSTM(), shapes=[FeatureShape(4, sequence=False)])
    [check] = [check for check in checks if check.name == "accepts"]
    assert "found all refused" in get_failure(check)


def test_checks_are_skipped_by_name_and_reason() -> None:
    checks = testing.backbone_checks(MLP(), skip={"padding": "no padding here"})
    assert "padding" not in {check.name for check in checks}
    assert ("padding", "no padding here") in {(skipped.name, skipped.reason) for skipped in checks.skipped_checks}


def test_concatenated_suites_keep_skipped_checks() -> None:
    head_checks, backbone_checks = testing.head_checks(TokenLinear()), testing.backbone_checks(LSTM())
    all_checks = head_checks + backbone_checks
    assert list(all_checks) == [*head_checks, *backbone_checks]
    assert all_checks.skipped_checks == [*head_checks.skipped_checks, *backbone_checks.skipped_checks]
    assert len(set(map(str, all_checks))) == len(all_checks)
    assert head_checks.skipped_checks != all_checks.skipped_checks


@pytest.mark.parametrize(
    ("skip", "message"),
    [({"paddings": "none"}, "did you mean 'padding'"), ({"padding": " "}, "needs a reason")],
)
def test_skipped_checks_must_exist_and_have_a_reason(skip: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        testing.backbone_checks(MLP(), skip=skip)


def test_report_lists_passed_failed_and_skipped_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(testing.backbone_checks(MLP()))
    output_lines = capsys.readouterr().out.splitlines()
    assert output_lines[-1] == "26 checks, 0 failed"
    assert sum(line.startswith("ok        mlp-") for line in output_lines) == 26
    assert "skipped   padding-vectors: there is no padding where an example is one vector" in output_lines
    assert not report(testing.backbone_checks(WrongBackbone(wrong="evaluation"), skip=SKIPPED))
    output_lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("FAILED    wrong-backbone-evaluation-tokens: expected") for line in output_lines)


def test_report_without_checks_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert not report([])


def get_rng_states() -> tuple[Any, ...]:
    numpy_state: Any = np.random.get_state()
    return random.getstate(), numpy_state[1].tolist(), torch.get_rng_state().tolist()


def test_checks_preserve_the_random_state() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    before = get_rng_states()
    for checks in (testing.head_checks(TokenLinear(dropout=0.5)), testing.splitter_checks(Stratified())):
        for check in checks:
            check.run()
    assert before == get_rng_states()


def test_suites_can_be_imported_without_torch() -> None:
    script = "import sys, mtl_core.testing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("suite", [testing.spec_checks, *SUITES], ids=lambda suite: suite.__name__)
def test_every_check_is_documented(suite: Suite, lines: Path) -> None:
    page = (DOCS / "how-to" / "test-a-plugin.md").read_text(encoding="utf-8")
    assert f"`{suite.__name__}`" in page
    assert f"::: mtl_core.testing.{suite.__name__}\n" in (DOCS / "reference" / "testing.md").read_text(encoding="utf-8")
    for name in WRONG if suite is testing.spec_checks else list_check_names(suite, lines):
        assert f"`{name}`" in page, name


@pytest.fixture(scope="module")
def faulty_registry() -> Registry:
    """Components that a run rejects during training; see `test_invalid_components.py`."""
    plugins = Plugins()
    plugins.add(str(Path(__file__).parents[1] / "core" / "invalid_components.py"))
    return Registry(plugins)


@pytest.mark.parametrize("what", ["length", "one row", "too wide", "nothing", "tuple", "classes", "no module"])
def test_head_that_a_run_refuses_fails(what: str, faulty_registry: Registry) -> None:
    spec: Any = faulty_registry.find("heads", "wrong")
    checks = testing.head_checks(spec(what=what), skip=SKIPPED)
    failed_checks = {check.name for check in checks if get_message(check)}
    assert failed_checks & {"accepts", "shape"}


@pytest.mark.parametrize("tensor", [True, False])
def test_backbone_that_a_run_refuses_fails(tensor: bool, faulty_registry: Registry) -> None:
    spec: Any = faulty_registry.find("backbones", "wrong")
    checks = testing.backbone_checks(spec(tensor=tensor), skip=SKIPPED)
    assert "shape" in {check.name for check in checks if get_message(check)}


@pytest.mark.parametrize("flat", [True, False])
def test_mask_that_a_run_refuses_fails(flat: bool, faulty_registry: Registry) -> None:
    spec: Any = faulty_registry.find("loss_masks", "wrong")
    checks = testing.loss_mask_checks(spec(flat=flat), skip=SKIPPED)
    assert "shape" in {check.name for check in checks if get_message(check)}


def test_spec_of_a_script_is_imported_from_its_file(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "ok        mine-light-import" in result.stdout
    script.write_text("import torch\n" + SCRIPT, encoding="utf-8")
    torch_result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert "found that it imports torch" in torch_result.stdout
    string_result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert "skipped   light-import: it is not defined in a file" in string_result.stdout
