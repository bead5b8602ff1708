"""The loader of molecules and the scaffold splitter."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_molecules import INVALID, MOLECULES, write_molecules

from mtl_core import Corpus, MtlError, load_experiment
from mtl_core.data.splitting import split_corpus
from mtl_molecules.molecules import Molecules
from mtl_molecules.read_smiles import read_smiles
from mtl_molecules.scaffold_split import ScaffoldSplit
from mtl_molecules.scaffolds import compute_scaffold


def _load(path: Path, **keys: Any) -> Corpus:
    return Molecules(train=path, labels=["ring", "sweet"], **keys).load()


def test_rows_are_molecules(sample: Path) -> None:
    corpus = _load(sample)
    assert list(corpus.inputs) == list(MOLECULES.values())
    assert list(corpus.metadata["smiles"]) == list(MOLECULES.values())
    assert list(corpus.labels["ring"])[:4] == ["0", "0", "0", None]


def test_spellings_of_a_molecule_are_one_group(tmp_path: Path) -> None:
    corpus = _load(write_molecules(tmp_path / "m.csv", "OCC,ethanol again,0,0", "C1CCCCC1,,0,0", "C1=CC=CC=C1,,1,0"))
    groups = list(corpus.groups)
    names = list(MOLECULES)
    assert groups[-3] == groups[names.index("ethanol")]
    assert groups[-2] == groups[names.index("cyclohexane")] != groups[names.index("benzene")]
    assert groups[-1] == groups[names.index("benzene")]
    assert len(set(groups)) == len(MOLECULES)


def test_invalid_smiles_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_molecules(tmp_path / "m.csv", f"{INVALID},broken,1,0")
    with pytest.raises(MtlError) as error:
        _load(path)
    assert str(error.value) == (
        f"{path}:32: column 'smiles': '{INVALID}' is not a valid SMILES: unclosed ring; `data.invalid: skip` leaves "
        "out such rows"
    )


def test_invalid_smiles_are_skipped_with_one_warning(tmp_path: Path, sample: Path) -> None:
    path = write_molecules(tmp_path / "m.csv", f"{INVALID},broken,1,0", "CCN,ethylamine,0,1", "C(,open,,1")
    corpus = _load(path, invalid="skip", id="name")
    assert list(corpus.inputs) == [*MOLECULES.values(), "CCN"]
    assert corpus.ids[-1] == "ethylamine"
    assert corpus.locations[-1] == f"{path}:33"
    assert [corpus.labels[name][30] for name in ("ring", "sweet")] == ["0", "1"]
    assert corpus.warnings == [
        "2 molecules have an invalid SMILES and are left out; the first: "
        f"{path}:32: column 'smiles': '{INVALID}' is not a valid SMILES: unclosed ring"
    ]
    assert _load(path, invalid="skip", id="name").warnings == corpus.warnings  # from the cache
    assert not _load(sample, invalid="skip").warnings
    only_invalid = tmp_path / "n.csv"
    only_invalid.write_text(f"smiles,ring,sweet\n{INVALID},1,1\n")
    with pytest.raises(MtlError, match=r"no molecule has a valid SMILES; the first: .*n.csv:2"):
        _load(only_invalid, invalid="skip")


def test_first_invalid_smiles_is_reported_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{'C' * (1 + row % 40)},0,0" for row in range(20_000)]
    lines[1500] = f"{INVALID},0,0"
    (tmp_path / "m.csv").write_text("\n".join(["smiles,ring,sweet", *lines]) + "\n")
    n_read = 0

    def count_molecules(smiles: object) -> Any:
        nonlocal n_read
        n_read += 1
        return read_smiles(smiles)

    monkeypatch.setattr("mtl_molecules.standard_smiles.read_smiles", count_molecules)
    with pytest.raises(MtlError, match=r"m.csv:1502: "):
        _load(tmp_path / "m.csv")
    assert n_read < 3000


def test_folder_of_the_cache_that_cannot_be_written_is_refused(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MtlError, match=r"data.cache: .*cannot be written"):
        _load(sample, cache=tmp_path / "file" / "cache")


def _split(corpus: Corpus, splitter: ScaffoldSplit, seed: int = 0) -> tuple[list[int], list[int], list[int]]:
    usable = np.ones(len(corpus), dtype=bool)
    split = split_corpus(corpus, usable, corpus.labels, splitter, seed)
    return split.train.tolist(), split.validation.tolist(), split.test.tolist()


def test_scaffolds_are_in_one_part(sample: Path) -> None:
    corpus = _load(sample)
    splitter = ScaffoldSplit(validation=0.2, test=0.2)
    parts = _split(corpus, splitter)
    assert sorted(row for part in parts for row in part) == list(range(len(MOLECULES)))
    scaffolds = [{compute_scaffold(corpus.inputs[row]) for row in part} for part in parts]
    assert not scaffolds[0] & scaffolds[1]
    assert not (scaffolds[0] | scaffolds[1]) & scaffolds[2]
    assert [len(part) for part in parts] == [18, 6, 6]
    assert {"", "c1ccccc1"} <= scaffolds[0]  # the most frequent scaffolds
    assert _split(corpus, splitter, seed=1) == parts
    assert _split(corpus, ScaffoldSplit(validation=0.4)) == (parts[0], sorted([*parts[1], *parts[2]]), [])


def test_scaffold_split_reports_what_it_cannot_do(tmp_path: Path, sample: Path) -> None:
    (tmp_path / "m.csv").write_text("smiles,ring,sweet\nCCO,0,0\nCCN,0,1\nCCC,1,0\n")
    with pytest.raises(MtlError, match=r"split: 1 scaffolds leave no training molecule; .* has 3 of 3 molecules"):
        _split(_load(tmp_path / "m.csv"), ScaffoldSplit(validation=0.2))
    with pytest.raises(MtlError, match=r"no column 'smile' in the metadata; did you mean 'smiles'"):
        _split(_load(sample), ScaffoldSplit(column="smile", validation=0.2))
    with pytest.raises(MtlError, match="folds would divide the scaffolds"):
        ScaffoldSplit().build_fold_keys()
    with pytest.raises(ValueError, match=r"add up to 1.1"):
        ScaffoldSplit(validation=0.6, test=0.5)


def test_predefined_test_molecules_with_training_scaffolds_are_counted(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("smiles,ring,sweet\nClc1ccccc1,1,0\nC1CC1,0,0\n")
    corpus = _load(sample, test=tmp_path / "test.csv")
    from mtl_core.data.metadata import ExampleMetadata

    metadata = ExampleMetadata(corpus.metadata, corpus.locations)
    train, test = (metadata.select(corpus.get_row_indices(name)) for name in ("train", "test"))
    leaks = ScaffoldSplit().find_leaks(train, test)
    leaked = {smiles for smiles, is_leak in zip(MOLECULES.values(), leaks, strict=True) if is_leak}
    assert leaked == {smiles for smiles in MOLECULES.values() if compute_scaffold(smiles) == "c1ccccc1"}


TOX21 = Path(__file__).parents[3] / "shared" / "data" / "molecules" / "tox21.csv.gz"


@pytest.mark.shared
@pytest.mark.skipif(not TOX21.exists(), reason="tox21.csv.gz is not in ../shared beside the checkout")
def test_tox21_is_read_as_the_experiment_declares() -> None:
    config = load_experiment("tox21", [f"data.train={TOX21}"]).config
    assert config.data is not None
    corpus = config.data.load()
    assert len(corpus) == 8006
    assert len(corpus.labels) == 12
    assert set(corpus.labels["NR-AhR"]) == {"0", "1", None}
    [warning] = corpus.warnings
    assert warning.startswith("8 molecules have an invalid SMILES and are left out; the first: ")
