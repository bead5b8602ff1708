"""Messages for arguments that cannot be used: what was found, and what to call instead."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pydantic
import pytest
from torch import nn

import mtl_core as mtl
from mtl_core import MtlError

Model: Any = mtl.Model  # the wrong types of arguments are the subject of these tests
compare: Any = mtl.compare
load: Any = mtl.load

INVALID: dict[str, tuple[Callable[[Any, mtl.Data], Any], str]] = {
    "a path": (lambda model, data: model.fit("x.yaml"), r"mtl\.Model\.from_yaml\('x\.yaml'\)\.fit\(\)"),
    "a table": (lambda model, data: model.fit(pd.DataFrame()), r"found a DataFrame; `mtl\.Data\.from_frame"),
    "nothing": (lambda model, data: model.fit(), r"fit needs data: mtl\.Data\.from_frame"),
    "tasks as a text": (lambda model, data: Model(tasks="topic"), r"tasks: expected a list"),
    "a task as a dict": (
        lambda model, data: Model(tasks=[{"nam": "topic"}]),
        r"tasks\[0\].*'nam' is no argument; did you mean 'name'",
    ),
    "a number as a part": (lambda model, data: Model(["topic"], backbone=3), "backbone: expected a backbone"),
    "a module as a weighting": (
        lambda model, data: Model(["topic"], weighting=nn.Linear(1, 1)),
        "weighting: expected a weighting.*found a Linear",
    ),
    "a spec of another kind": (
        lambda model, data: Model(["topic"], weighting=mtl.Regression),
        "weighting: expected a weighting, found the spec Regression",
    ),
    "auxiliary as a text": (
        lambda model, data: Model(["topic"], auxiliary="masked-tokens"),
        "auxiliary: expected a list",
    ),
    "training as a dict": (
        lambda model, data: Model(["topic"], training={"epochs": 3}),
        r"training: expected mtl\.Training",
    ),
    "a class with arguments": (
        lambda model, data: Model(["topic"], backbone=nn.Linear).fit(data, progress=False),
        r"the backbone 'Linear' needs 2 arguments; hand in an instance, or a function of inputs: lambda inputs: Linear",
    ),
    "a backbone that does not fit": (
        lambda model, data: Model(["topic"], backbone=nn.Linear(9, 3)).fit(data, progress=False),
        r"the backbone 'Linear' cannot read features of shape \(batch, 3\): RuntimeError",
    ),
    "a backbone that returns a tuple": (
        lambda model, data: Model(["topic"], backbone=nn.LSTM(3, 4)).fit(data, progress=False),
        "the backbone 'LSTM' returned a tuple, expected one tensor",
    ),
    "a function that returns no module": (
        lambda model, data: Model(["topic"], backbone=lambda inputs: None).fit(data, progress=False),
        "returned None, expected a torch module",
    ),
    "a head of another width": (
        lambda model, data: Model([mtl.Task("topic", head=nn.Linear(128, 7))]).fit(data, progress=False),
        r"the head of task 'topic' returned a tensor of shape \(\d+, 7\)",
    ),
    "a task without labels": (
        lambda model, data: Model(["topc"]).fit(data, progress=False),
        "no label column 'topc'; did you mean 'topic'",
    ),
    "texts": (lambda model, data: compare(data), r"compare: expected mtl\.Model"),
    "one task": (lambda model, data: compare(Model(["topic"]), data), "has only one active task"),
    "a text as plugins": (lambda model, data: Model(["topic"], plugins="x.py"), "plugins: expected a list"),
    "a text as parts": (lambda model, data: load("x", parts="Net"), "parts: expected a list|no such run"),
    "another file ending": (lambda model, data: model.to_yaml("x.json"), "whose name ends in .yaml"),
}


@pytest.mark.parametrize(("call", "message"), INVALID.values(), ids=INVALID)
def test_argument_is_refused(
    call: Callable[[Any, mtl.Data], Any], message: str, model: mtl.Model, data: mtl.Data
) -> None:
    with pytest.raises(MtlError, match=message):
        call(model, data)


def test_invalid_settings_carry_the_error_of_pydantic(model: mtl.Model, data: mtl.Data) -> None:
    with pytest.raises(MtlError, match=r"training\.epochs: expected greater than 0, found 0") as caught:
        model.fit(data, epochs=0)
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)
    with pytest.raises(MtlError, match=r"backbone\.type: unknown backbone 'mpl'; did you mean 'mlp'"):
        Model(["topic"], backbone="mpl").fit(data)


def test_inputs_that_cannot_be_predicted_are_refused(run: mtl.Run, frame: pd.DataFrame) -> None:
    with pytest.raises(MtlError, match="row 0: no column 'c'"):
        run.predict(frame[["a", "b"]])
    with pytest.raises(MtlError, match="row 0: the inputs of this run are rows with the columns a, b, c, not texts"):
        run.predict(["a text"])
    with pytest.raises(MtlError, match=r"found one text; predict\(\['a text'\]\)"):
        run.predict("a text")
    with pytest.raises(MtlError, match="expected a pandas, Polars or Arrow table"):
        run.predict(3)


def test_misspelt_metric_is_refused_with_the_nearest_name(run: mtl.Run) -> None:
    with pytest.raises(MtlError, match="no task 'topik'; did you mean 'topic'"):
        run.metrics["test", "topik", "accuracy"]
    with pytest.raises(MtlError, match="no metric 'acuracy'; did you mean 'accuracy'"):
        run.metrics["test", "topic", "acuracy"]
    with pytest.raises(MtlError, match="expected a split, a task and a metric"):
        run.metrics["test"]  # type: ignore[index]
