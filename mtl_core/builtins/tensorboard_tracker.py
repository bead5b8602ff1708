"""TensorBoard files."""

from collections.abc import Mapping
from pathlib import Path

from accelerate.tracking import TensorBoardTracker


class TensorBoardFiles(TensorBoardTracker):  # type: ignore[misc]
    """Accelerate's tracker, but for where hyperparameters are kept.

    Accelerate puts them into two folders more, called after the time of the day. Here they stand among the figures,
    so that TensorBoard's table of hyperparameters shows both.

    Args:
        folder: Where the files are written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder.name, str(folder.parent))

    def store_init_configuration(self, values: Mapping[str, str | int | float | bool]) -> None:
        """Write the table's row. What columns it has, TensorBoard finds by itself."""
        from torch.utils.tensorboard.summary import hparams

        _, began, _ = hparams(dict(values), {})  # type: ignore[no-untyped-call]
        self.writer.file_writer.add_summary(began)
        self.writer.flush()
