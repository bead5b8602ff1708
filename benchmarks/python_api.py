"""`mtl.Model.fit` compared with a plain PyTorch loop with the same network, losses and optimizer, on a table."""

import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import mtl_core as mtl
from benchmarks.measurement import format_seconds
from benchmarks.reference import measure_reference

ROUNDS = 5
ROWS, COLUMNS, EPOCHS, BATCH_SIZE = 700, 8, 15, 32
WIDTHS = (64, 512, 1024)
"""Widths of the two hidden layers of the backbone: the smaller, the larger the share of what is not arithmetic."""


def main() -> None:
    """Time alternating trainings of both loops, and print the ratio of the medians for several widths."""
    reference = measure_reference()
    table = build_table()
    for width in WIDTHS:
        data, model = build_model(table, width)
        fit_times, plain_times = [], []
        time_fit(model, data)
        for _ in range(ROUNDS):
            fit_times.append(time_fit(model, data))
            plain_times.append(time_plain(table, width))
        ratio = sorted(fit_times)[ROUNDS // 2] / sorted(plain_times)[ROUNDS // 2]
        fit, plain = (format_seconds(min(times), reference) for times in (fit_times, plain_times))
        print(f"{width} units: fit {fit}, plain loop {plain}; ratio of medians {ratio:.2f}")


def build_table() -> dict[str, Any]:
    """Build a table of numbers with a class and a number to predict; 30 % of the labels of each are missing."""
    random = np.random.default_rng(0)
    values = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    table: dict[str, Any] = {f"x{column}": values[:, column] for column in range(COLUMNS)}
    topic = np.where(values[:, 0] > 0, "up", "down").astype(object)
    rating = values[:, 0] - values[:, 2]
    topic[random.random(ROWS) < 0.3] = None
    rating[random.random(ROWS) < 0.3] = np.nan
    return {**table, "topic": topic, "rating": rating}


def build_layers(inputs: int, width: int) -> nn.Module:
    """Build the backbone."""
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())


def build_model(table: dict[str, Any], width: int) -> tuple[mtl.Data, mtl.Model]:
    """Build the data, all of it training data, and the model."""
    inputs = {name: "number" for name in table if name.startswith("x")}
    splitter = {"type": "random", "validation": 0.0}
    data = mtl.Data.from_frame(table, inputs, ["topic", "rating"], splitter=splitter)
    backbone: Callable[[Any], nn.Module] = lambda shape: build_layers(shape.width, width)  # noqa: E731
    return data, mtl.Model(["topic", mtl.Task("rating", kind="regression")], backbone)


def time_fit(model: mtl.Model, data: mtl.Data) -> float:
    """Return the seconds of the training of `fit`, without loading, encoding and evaluation."""
    run = model.fit(data, epochs=EPOCHS, batch_size=BATCH_SIZE, progress=False)
    seconds: float = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))["timing"]["train_s"]
    return seconds


def time_plain(table: dict[str, Any], width: int) -> float:
    """Return the seconds of a hand-written loop over the rows that have a label."""
    values = torch.from_numpy(np.stack([table[f"x{column}"] for column in range(COLUMNS)], axis=1))
    topics = torch.tensor([-1 if label is None else int(label == "up") for label in table["topic"]])
    ratings = torch.from_numpy(np.asarray(table["rating"], dtype=np.float32))
    labelled = (topics >= 0) | ~ratings.isnan()
    values, topics, ratings = values[labelled], topics[labelled], ratings[labelled]
    backbone, topic_head, rating_head = build_layers(COLUMNS, width), nn.Linear(width, 2), nn.Linear(width, 1)
    network = nn.ModuleList([backbone, topic_head, rating_head])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    start = perf_counter()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(values)).chunk(-(-len(values) // BATCH_SIZE)):
            features, total = backbone(values[rows]), torch.zeros(())
            valid = topics[rows] >= 0
            if valid.any():
                total = total + F.cross_entropy(topic_head(features)[valid], topics[rows][valid])
            valid = ~ratings[rows].isnan()
            if valid.any():
                total = total + F.mse_loss(rating_head(features)[valid, 0], ratings[rows][valid])
            optimizer.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total.item()
    return perf_counter() - start
