"""Fixtures of the tests of the Python API: numbers with a class and a number to predict, many labels missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from table_columns import COLUMNS, INPUTS, LABELS

import mtl_core as mtl

if TYPE_CHECKING:
    import pandas as pd


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """240 rows; a third of the labels of each task is missing."""
    import pandas as pd

    random = np.random.default_rng(0)
    values = random.normal(size=(240, 3))
    table: dict[str, Any] = dict(zip(COLUMNS, values.T, strict=True))
    table["topic"] = np.where(values[:, 0] + values[:, 1] > 0, "sport", "music").astype(object)
    table["rating"] = values[:, 0] - values[:, 2] + random.normal(size=240) / 10
    frame = pd.DataFrame(table)
    frame.loc[random.random(240) < 1 / 3, "topic"] = None
    frame.loc[random.random(240) < 1 / 3, "rating"] = np.nan
    return frame


@pytest.fixture(scope="session")
def data(frame: pd.DataFrame) -> mtl.Data:
    return mtl.Data.from_frame(frame, INPUTS, LABELS)


@pytest.fixture(scope="session")
def model() -> mtl.Model:
    return mtl.Model(tasks=["topic", mtl.Task("rating", kind="regression", weight=0.5)], backbone="mlp")


@pytest.fixture(scope="session")
def run(model: mtl.Model, data: mtl.Data) -> mtl.Run:
    return model.fit(data, epochs=3, seed=7, progress=False)
