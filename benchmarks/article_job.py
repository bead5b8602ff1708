"""Wall time and peak memory of the article's experiment in one process: parse, train 3 epochs, evaluate."""

import tempfile
from pathlib import Path

from benchmarks.local_data import PIPELINE, TRAIN, require_shared
from benchmarks.measurement import format_seconds, format_settings, get_peak_memory, run_mtl
from benchmarks.reference import measure_reference


def main() -> None:
    """Run the experiment and print time, also in R, and memory."""
    require_shared()
    reference = measure_reference()
    with tempfile.TemporaryDirectory() as folder:
        # The training sentences, with other ids, replace the test file, so that the amount of evaluation is similar.
        test = Path(folder) / "test.xml"
        test.write_bytes(TRAIN.read_bytes().replace(b'<sentence id="', b'<sentence id="test-'))
        settings = format_settings(f"data.train={TRAIN}", f"data.test={test}", f"encoder.pipeline={PIPELINE}")
        seconds = run_mtl("run", "absa-article", "--out", Path(folder) / "run", *settings)
    print(
        f"article's experiment: {format_seconds(seconds, reference)}, at most {get_peak_memory():.0f} MB resident; "
        f"R = {reference:.2f} s"
    )
