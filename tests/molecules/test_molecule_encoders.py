"""Fingerprints and descriptors: values, standardisation, cache."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator
from sample_molecules import INVALID, MOLECULES

from mtl_core import MtlError
from mtl_molecules.descriptors import Descriptors
from mtl_molecules.molecular_descriptors import NAMES, MolecularDescriptors
from mtl_molecules.morgan import Morgan
from mtl_molecules.read_smiles import read_smiles

SMILES = list(MOLECULES.values())


@pytest.mark.parametrize("counts", [False, True])
def test_fingerprints_are_those_of_rdkit(counts: bool) -> None:
    encoder = Morgan(radius=3, bits=128, counts=counts, width=8, dropout=0).build()
    items = encoder.encode(encoder.parse(SMILES))
    encoder.fit(items)
    layer: Any = encoder.input_layer()
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=128)
    molecules = [Chem.MolFromSmiles(smiles) for smiles in SMILES]
    if counts:
        dense = np.log1p([generator.GetCountFingerprintAsNumPy(molecule) for molecule in molecules])
    else:
        dense = np.array([generator.GetFingerprintAsNumPy(molecule) for molecule in molecules])
    weight, bias = (layer.fingerprint_layer.weight, layer.fingerprint_layer.bias)
    expected = torch.relu(torch.from_numpy(dense).float() @ weight + bias)
    torch.testing.assert_close(layer(encoder.collate(items)).values, expected, rtol=1e-5, atol=1e-6)


def test_descriptors_are_standardised_by_the_training_molecules(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.stack([MolecularDescriptors().compute(smiles) for smiles in SMILES])
    rows[3, NAMES.index("MolWt")] = np.nan  # RDKit computes none
    rows[-1, NAMES.index("Ipc")] = 1e30  # far from the training molecules
    values = dict(zip(SMILES, rows, strict=True))
    monkeypatch.setattr(MolecularDescriptors, "compute", lambda self, smiles: values[smiles])
    encoder = Descriptors(cache=False).build()
    parsed = encoder.parse(SMILES)
    encoder.fit(parsed[:-1])
    layer = encoder.input_layer()
    features = layer(encoder.collate(encoder.encode(parsed))).values.numpy()
    assert features.shape == (len(SMILES), len(NAMES))
    varies = features.std(axis=0) > 0
    assert varies.sum() > 100
    assert features[3, NAMES.index("MolWt")] == 0
    assert np.abs(features).max() == features[-1, NAMES.index("Ipc")] == 6
    assert not features[:, NAMES.index("NumRadicalElectrons")].any()  # constant
    logp = rows[:-1, NAMES.index("MolLogP")].astype(float)
    np.testing.assert_allclose(features[:-1, NAMES.index("MolLogP")], (logp - logp.mean()) / logp.std(), rtol=1e-4)
    restored = Descriptors().build()
    restored.restore(encoder.state())
    np.testing.assert_array_equal(restored.input_layer()(encoder.collate(parsed)).values.numpy(), features)


def test_descriptors_reach_the_layer_of_fingerprints() -> None:
    encoder = Morgan(bits=64, descriptors=True, width=8, dropout=0).build()
    parsed = encoder.parse(SMILES)
    encoder.fit(parsed)
    layer: Any = encoder.input_layer()
    batch = encoder.collate(encoder.encode(parsed))
    layer(batch).values.sum().backward()
    assert layer.descriptor_layer.weight.grad.abs().sum() > 0
    assert layer.fingerprint_layer.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("spec", [Morgan(bits=64, counts=True), Morgan(bits=64, descriptors=True), Descriptors()])
def test_features_are_computed_once(spec: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = spec.build()
    first_items = first.encode(first.parse(SMILES))
    first.fit(first_items)
    n_calls = 0

    def count_calls(smiles: object) -> Chem.Mol:
        nonlocal n_calls
        n_calls += 1
        return read_smiles(smiles)

    for module in ("fingerprints", "molecular_descriptors"):
        monkeypatch.setattr(f"mtl_molecules.{module}.read_smiles", count_calls)
    second = spec.build()
    second_items = second.encode(second.parse(SMILES))
    assert n_calls == 0
    second.fit(second_items)
    torch.manual_seed(0)
    first_layer = first.input_layer().eval()
    torch.manual_seed(0)
    second_layer = second.input_layer().eval()
    first_features = first_layer(first.collate(first_items)).values
    assert torch.equal(first_features, second_layer(second.collate(second_items)).values)
    cached = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.sqlite")}
    predictor = spec.build()
    predictor.restore(first.state())
    predictor.parse(["CCN", "CCCN"])
    assert n_calls > 0
    assert cached == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.sqlite")}


def test_invalid_smiles_has_a_reason_and_leaves_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    status = rdBase.LogStatus()
    for smiles, reason in {
        INVALID: "unclosed ring",
        "CC(": r"syntax error around position 3",
        "C[N+](C)(C)(C)C": "Explicit valence for atom # 1 N, 5, is greater than permitted",
        "": "it has no atom",
    }.items():
        with pytest.raises(MtlError) as error:
            read_smiles(smiles)
        assert str(error.value) == f"'{smiles}' is not a valid SMILES: {reason}"
    with pytest.raises(MtlError, match="expected a SMILES, found int"):
        read_smiles(3)
    read_smiles("CCO")
    assert rdBase.LogStatus() == status
    assert capfd.readouterr() == ("", "")
    Chem.MolFromSmiles(INVALID)
    assert "unclosed ring" in capfd.readouterr().err  # RDKit itself is as loud as before


def test_missing_rdkit_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_core.plugins.optional_packages.find_spec", lambda name: None)
    with pytest.raises(
        MtlError, match=r"encoder: the type 'morgan' needs rdkit, .*pip install 'mtl-core\[molecules\]'"
    ):
        Morgan().build()
