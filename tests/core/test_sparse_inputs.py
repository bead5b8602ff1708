"""Sparse inputs: rows, the linear layer, the encoder, and runs on them from files and from Python."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from torch import nn

import mtl_core as mtl
from mtl_core.builtins.encoders.sparse import Sparse
from mtl_core.data.sparse_row import SparseRow, parse_sparse_row, split_sparse_matrix
from mtl_core.errors import MtlError
from mtl_core.nn.sparse_linear import SparseBatch, SparseLinear


def _draw_matrix(rows: int, features: int, density: float, seed: int = 0) -> Any:
    matrix = sparse.random(rows, features, density=density, format="csr", random_state=seed)
    matrix.data = np.ceil(matrix.data * 5)
    return matrix


@pytest.mark.parametrize("is_binary", [False, True])
def test_layer_equals_linear_on_the_dense_matrix(is_binary: bool) -> None:
    torch.manual_seed(0)
    matrix = sparse.vstack([_draw_matrix(63, 300, 0.05), sparse.csr_array((1, 300))], format="csr")  # an empty example
    if is_binary:
        matrix.data[:] = 1
    dense = nn.Linear(300, 32)
    layer = SparseLinear(300, 32)
    layer.load_state_dict({"weight": dense.weight.detach().T.clone(), "bias": dense.bias.detach().clone()})
    batch = SparseBatch.from_rows(split_sparse_matrix(matrix))
    assert (batch.values is None) == is_binary
    expected = dense(torch.from_numpy(matrix.toarray()).float())
    outputs = layer(batch)
    torch.testing.assert_close(outputs, expected, rtol=1e-6, atol=1e-6)
    direction = torch.randn(64, 32)
    (outputs * direction).sum().backward()
    (expected * direction).sum().backward()
    assert layer.weight.grad is not None
    assert dense.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, dense.weight.grad.T, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(layer.bias.grad, dense.bias.grad, rtol=1e-5, atol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(-3, 300)), max_size=20))
def test_row_equals_scipy_row(entries: list[tuple[int, int]]) -> None:
    indices, values = [index for index, _ in entries], [float(value) for _, value in entries]
    zeros = [0] * len(entries)
    matrix = sparse.csr_array(sparse.coo_array((values, (zeros, indices)), shape=(1, 100_001)))
    row = SparseRow.from_entries(np.array(indices, dtype=np.int64), values)
    assert row == split_sparse_matrix(matrix)[0]
    assert row == parse_sparse_row(str(row)) == parse_sparse_row(json.loads(json.dumps([[*e] for e in row.tolist()])))
    dense = np.zeros(100_001)
    np.add.at(dense, indices, values)
    assert row == parse_sparse_row(dense)
    assert row.tolist() == [[i, dense[i]] for i in np.flatnonzero(dense)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("3 x", "found 'x'"),
        ("3:", "found '3:'"),
        ("-1", "found '-1'"),
        ("3:nan", "not finite"),
        ("99999999999", "found '99999999999'"),
        ([[-4, 1.0]], "expected indices from 0 to 2,147,483,647, found -4"),
        ([[0.5, 1.0]], r"expected pairs of an index and a number, found \[0.5, 1.0\]"),
        (3.5, "expected a sparse vector"),
        (sparse.eye_array(2, format="csr"), "expected one row of a sparse matrix, found 2"),
    ],
)
def test_invalid_row_is_refused(value: object, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        parse_sparse_row(value)


def test_items_are_compact() -> None:
    """100,000 rows of 4,096 bits, as fingerprints of molecules are, need less than 1 GB: here 2 bytes per entry."""
    n_rows, n_features, n_entries = 2_000, 4_096, 50
    random = np.random.default_rng(0)
    columns = np.sort(random.random((n_rows, n_features)).argpartition(n_entries, axis=1)[:, :n_entries], axis=1)
    matrix = sparse.csr_array(
        (np.ones(n_rows * n_entries), columns.reshape(-1), np.arange(n_rows + 1) * n_entries), (n_rows, n_features)
    )
    encoder = Sparse(features=n_features).build()
    tracemalloc.start()
    rows = encoder.parse(split_sparse_matrix(matrix))
    encoder.fit(rows)
    items = encoder.encode(rows)
    bytes_in_memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(item.nbytes for item in items) == 2 * n_rows * n_entries
    assert bytes_in_memory * 100_000 / n_rows < 0.1 * 2**30


def test_index_beyond_the_features_is_refused() -> None:
    encoder = Sparse().build()
    encoder.fit(encoder.parse(["0 7:2"]))
    with pytest.raises(MtlError, match="an input has the index 8, expected indices from 0 to 7; the key `features`"):
        encoder.encode(encoder.parse(["8"]))
    fixed = Sparse(features=9).build()
    fixed.fit([])
    assert fixed.encode(fixed.parse(["8"])) == [parse_sparse_row("8")]
    with pytest.raises(MtlError, match="found no entry in the training inputs"):
        Sparse().build().fit(encoder.parse(["", ""]))


def test_input_dropout_drops_entries_in_training_only() -> None:
    torch.manual_seed(0)
    encoder = Sparse(width=16, input_dropout=0.5).build()
    rows = encoder.parse([" ".join(map(str, range(100)))])
    encoder.fit(rows)
    layer = encoder.input_layer()
    batch = encoder.collate(rows)
    layer.train()
    assert not torch.equal(layer(batch).values, layer(batch).values)
    layer.eval()
    assert torch.equal(layer(batch).values, layer(batch).values)


def _draw_examples() -> tuple[Any, "np.ndarray[Any, Any]"]:
    """Return a matrix, and which of two groups of features has more entries."""
    dense = _draw_matrix(160, 40, 0.2).toarray().clip(0, 1)
    dense[:, 39] = 1  # no row is empty
    matrix = sparse.csr_array(dense)
    return matrix, np.asarray(matrix[:, :10].sum(axis=1) > matrix[:, 10:20].sum(axis=1)).reshape(-1).astype(int)


def test_run_on_texts_of_indices(tmp_path: Path, mtl: Callable[..., CompletedProcess[str]]) -> None:
    matrix, labels = _draw_examples()
    lines = [f"{row},{label}" for row, label in zip(split_sparse_matrix(matrix), labels, strict=True)]
    (tmp_path / "bags.csv").write_text("\n".join(["bag,more", *lines]) + "\n")
    (tmp_path / "bags.yaml").write_text(
        "data: {type: table, train: bags.csv, text: bag}\n"
        "split: {type: random, validation: 0.2, test: 0.2}\n"
        "encoder: {type: sparse, width: 32, dropout: 0.1}\n"
        "backbone: identity\n"
        "tasks: [{name: more, kind: binary, head: linear}]\n"
        "optimizer: {type: adam, lr: 0.03}\n"
        "training: {epochs: 15, batch_size: 16}\n"
    )
    run = tmp_path / "run"
    assert mtl("run", tmp_path / "bags.yaml", "--out", run).returncode == 0
    scores = json.loads((run / "metrics.json").read_text())["splits"]["test"]["tasks"]["more"]
    assert scores["accuracy"] >= scores["majority_accuracy"] + 0.1
    assert json.loads(mtl("predict", run, "0 1 2 3:2", "--json").stdout)["tasks"]["more"]["label"] == "1"
    refused = mtl("predict", run, "0 1 40")
    assert refused.returncode == 2
    assert refused.stderr.endswith("text 1: an input has the index 40, expected indices from 0 to 39\n")


def test_data_from_a_sparse_matrix(tmp_path: Path) -> None:
    matrix, labels = _draw_examples()
    data = mtl.Data.from_arrays(matrix, {"more": labels})
    assert data.inputs == {"input": "sparse"}
    model = mtl.Model(
        [mtl.Task("more", mtl.Binary())],
        backbone="identity",
        encoders={"input": Sparse(width=32)},
        optimizer={"type": "adam", "lr": 0.03},
        training=mtl.Training(epochs=15, batch_size=16),
    )
    run = model.fit(data, out=tmp_path / "run", progress=False)
    predictions = run.predict(matrix)
    names = [record["tasks"]["more"]["label"] for record in predictions.to_records()]
    assert np.mean(np.array(names) == labels.astype(str)) > 0.8
    dense = run.predict({"input": matrix})
    assert [record["tasks"]["more"]["label"] for record in dense.to_records()] == names
