"""The report of a run, put together."""

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
    "95 % intervals of shares are Wilson's (1927). They say how far a figure may lie from what more data of the "
    "same kind would give for this very network, and nothing of other seeds or other splits; `mtl compare` asks "
    "those. Labels are taken as independent of each other; where several stand in one text, such as one a word, "
    "the intervals are too narrow.",
    "A baseline knows the training labels and not the input: it always answers the most frequent class, or the "
    "mean.",
    "Overall figures count every label once, so that large tasks weigh more.",
)


def run_page(files: RunFiles, palette: Palette) -> Page:
    """Say what a run brought.

    Args:
        files: The run.
        palette: The colours of drawings; they must be made while it is drawn with (`drawing`).
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
        closing="Made from the files of the run directory; `mtl report` makes it again.",
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
        Section("method", "How figures were made", [Words(METHOD)]),
        Section("settings", "Settings", [Preformatted("config.yaml: every value that was used", files.config)]),
    ]
    return [section for section in found if section is not None]
