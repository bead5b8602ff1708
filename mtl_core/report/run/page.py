"""The page of the report of a run."""

from mtl_core.report.blocks import Page, Preformatted, Section, Words
from mtl_core.report.calibration import Calibrations, read_calibrations
from mtl_core.report.figures.palette import Palette
from mtl_core.report.run.confidence import confidence
from mtl_core.report.run.confusion import confusion
from mtl_core.report.run.cost import auxiliary, cost
from mtl_core.report.run.data import data
from mtl_core.report.run.headline import facts, headline, in_short
from mtl_core.report.run.interactions import interactions
from mtl_core.report.run.learning import learning
from mtl_core.report.run.mistakes import mistakes
from mtl_core.report.run.results import results
from mtl_core.report.run_files import RunFiles

METHOD = (
    "95 % intervals of proportions are Wilson intervals (1927). They cover the variation between test examples for "
    "this one network. They do not cover other seeds or other splits; `mtl compare` does. Labels are assumed to be "
    "independent; if a text has several labels, such as one per word, the intervals are too narrow.",
    "A baseline uses the training labels and ignores the input: it always predicts the most frequent class, or the "
    "mean.",
    "Overall metrics weight every label equally, so that tasks with many labels have more influence.",
)


def run_page(files: RunFiles, palette: Palette) -> Page:
    """Build the page of a run.

    Args:
        files: The contents of the run directory.
        palette: The colours of the figures; call this function inside `drawing` with the same palette.
    """
    part = files.judged
    calibrations = None
    if part is not None and files.predictions is not None:
        main = [task.name for task in part.tasks]
        calibrations = read_calibrations(files.predictions, files.classes, main)
    return Page(
        kind="run",
        title=files.experiment,
        headline=headline(files),
        notice=files.data.notice,
        facts=facts(files),
        sections=_sections(files, calibrations, palette),
        closing="Generated from the files of the run directory; `mtl report` regenerates it.",
    )


def _sections(files: RunFiles, calibrations: Calibrations | None, palette: Palette) -> list[Section]:
    part = files.judged
    found = [
        in_short(files, calibrations),
        results(files.parts, palette) if files.parts else None,
        learning(files, palette),
        confusion(part, files.classes) if part is not None else None,
        confidence(calibrations, palette) if calibrations is not None else None,
        mistakes(files.mistakes) if files.mistakes else None,
        interactions(files.interactions, palette) if files.interactions is not None else None,
        auxiliary(files),
        data(files.data),
        cost(files),
        Section("method", "Methods", [Words(METHOD)]),
        Section("settings", "Settings", [Preformatted("config.yaml: the resolved configuration", files.config)]),
    ]
    return [section for section in found if section is not None]
