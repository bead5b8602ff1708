"""The page of the report of a run."""

from collections.abc import Sequence

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.reporting.blocks import Page, Preformatted, Section, TextBlock
from mtl_core.reporting.calibration_curve import CalibrationCurves, read_calibration_curves
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.headline import format_headline
from mtl_core.reporting.interactions_section import build_interactions_section
from mtl_core.reporting.provenance_blocks import build_provenance_blocks
from mtl_core.reporting.read_run import RunArtifacts
from mtl_core.reporting.run.auxiliary_section import build_auxiliary_section
from mtl_core.reporting.run.calibration_section import build_calibration_section
from mtl_core.reporting.run.confusion_section import build_confusion_section
from mtl_core.reporting.run.cost_section import build_cost_section
from mtl_core.reporting.run.data_section import build_data_section
from mtl_core.reporting.run.learning_curves_section import build_learning_curves_section
from mtl_core.reporting.run.many_tasks_section import build_many_tasks_section
from mtl_core.reporting.run.mistakes_section import build_mistakes_section
from mtl_core.reporting.run.pictures_section import build_pictures_section
from mtl_core.reporting.run.results_section import build_results_section
from mtl_core.reporting.run.summary_section import build_summary_section, collect_facts
from mtl_core.reporting.task_metrics import SplitMetrics

METHOD_PARAGRAPHS = (
    "95 % intervals of proportions are Wilson intervals (1927). They cover the variation between test examples for "
    "this one network. They do not cover other seeds or other splits; `mtl compare` does. Labels are assumed to be "
    "independent; if a text has several labels, such as one per word, the intervals are too narrow.",
    "A baseline uses the training labels and ignores the input: it always predicts the most frequent class, or the "
    "mean.",
    "Overall metrics weight every label equally, so that tasks with many labels have more influence.",
)


def build_run_page(artifacts: RunArtifacts, palette: Palette) -> Page:
    """Build the page of a run.

    Args:
        artifacts: The contents of the run directory.
        palette: The colours of the figures; call this function inside `plot_style` with the same palette.
    """
    split = artifacts.main_split
    calibration_curves = None
    if split is not None and artifacts.predictions_path is not None:
        task_names = [task.name for task in split.tasks]
        calibration_curves = read_calibration_curves(artifacts.predictions_path, artifacts.classes, task_names)
    return Page(
        kind="run",
        title=artifacts.experiment,
        headline=format_headline(artifacts),
        disclaimer=artifacts.data.disclaimer,
        facts=collect_facts(artifacts),
        sections=_build_sections(artifacts, calibration_curves, palette),
        footer="Generated from the files of the run directory; `mtl report` regenerates it.",
    )


def _build_results(splits: Sequence[SplitMetrics], palette: Palette) -> Section:
    build_section = build_many_tasks_section if has_many_tasks(len(splits[0].tasks)) else build_results_section
    return build_section(splits, palette)


def _build_sections(
    artifacts: RunArtifacts, calibration_curves: CalibrationCurves | None, palette: Palette
) -> list[Section]:
    split = artifacts.main_split
    sections = [
        build_summary_section(artifacts, calibration_curves),
        _build_results(artifacts.splits, palette) if artifacts.splits else None,
        build_learning_curves_section(artifacts, palette),
        build_confusion_section(split, artifacts.classes) if split is not None else None,
        build_calibration_section(calibration_curves, palette) if calibration_curves is not None else None,
        build_pictures_section(artifacts) if artifacts.pictures else None,
        build_mistakes_section(artifacts.mistakes, len(artifacts.classes)) if artifacts.mistakes else None,
        build_interactions_section(artifacts.interactions, palette) if artifacts.interactions is not None else None,
        build_auxiliary_section(artifacts),
        build_data_section(artifacts.data),
        build_cost_section(artifacts),
        Section("provenance", "Provenance", build_provenance_blocks(artifacts.provenance)),
        Section("method", "Methods", [TextBlock(METHOD_PARAGRAPHS)]),
        Section(
            "settings", "Settings", [Preformatted("config.yaml: the resolved configuration", artifacts.config_text)]
        ),
    ]
    return [section for section in sections if section is not None]
