"""Folders of images: labels from subfolders and from tables, and folders that are no data."""

from pathlib import Path

import pytest
from image_files import BLUE, RED, write_image

from mtl_core import MtlError
from mtl_images.image_folder import ImageFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("red/1.png", "red/deep/2.JPG", "blue/1.png", ".hidden/3.png", "red/.thumbs/4.png"):
        write_image(tmp_path / "train" / name, RED if "red" in name else BLUE)
    return tmp_path / "train"


def test_subfolders_are_labels(folder: Path) -> None:
    corpus = ImageFolder(train=folder, label="color").load()
    assert list(corpus.ids) == ["blue/1.png", "red/1.png", "red/deep/2.JPG"]
    assert list(corpus.labels["color"]) == ["blue", "red", "red"]
    assert list(corpus.inputs) == [str(folder / name) for name in corpus.ids]


def test_folders_per_split(folder: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "test" / "green" / "1.png")
    corpus = ImageFolder(train=folder, test=tmp_path / "test").load()
    assert list(corpus.splits) == ["train"] * 3 + ["test"]
    assert list(corpus.labels["label"]) == ["blue", "red", "red", "green"]


def test_other_files_are_reported(folder: Path) -> None:
    (folder / "red" / "notes.txt").write_text("notes", encoding="utf-8")
    corpus = ImageFolder(train=folder).load()
    assert len(corpus) == 3
    assert "files without the extension of an image are not used: 1, such as notes.txt" in corpus.warnings[0]


def test_table_of_labels(folder: Path) -> None:
    table = "file_name,count,size,kind\nred/1.png,3,1.5,a\nblue/1.png,,2,\n"
    (folder / "metadata.csv").write_text(table, encoding="utf-8")
    corpus = ImageFolder(train=folder).load()
    assert corpus.labels == {"count": [None, 3, None], "size": [2.0, 1.5, None], "kind": [None, "a", None]}


def test_table_of_labels_as_json_lines(folder: Path) -> None:
    lines = '{"file_name": "red/1.png", "tags": ["a", "b"]}\n\n{"file_name": "blue/1.png", "tags": null, "n": 2}\n'
    (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")
    corpus = ImageFolder(train=folder).load()
    assert corpus.labels == {"tags": [None, ["a", "b"], None], "n": [2, None, None]}


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("metadata.csv", "file,kind\na,b\n", r"metadata\.csv: no column `file_name`.*\(columns: file, kind\)"),
        ("metadata.csv", "file_nam,kind\na,b\n", "did you mean 'file_nam'"),
        ("metadata.csv", "file_name,kind,kind\na,b,c\n", "two columns are named 'kind'"),
        ("metadata.csv", "", "no column `file_name`"),
        ("metadata.csv", "file_name,kind\n", "contains no row"),
        ("metadata.csv", "file_name,kind\nred/1.png\n", r"metadata\.csv:2: 1 cells, expected 2"),
        ("metadata.csv", "file_name,kind\nred/1.pn,a\n", r"csv:2: .*no image 'red/1\.pn'; did you mean 'red/1\.png'"),
        ("metadata.csv", "file_name,kind\nred/1.png,a\nred/1.png,b\n", r"csv:3: a second row for 'red/1\.png'"),
        ("metadata.csv", "file_name,kind\nred/1.png,\n", "contains no label"),
        ("metadata.csv", 'file_name,kind\n"red/1.png,a\n', "never closed"),
        ("metadata.jsonl", "{", r"metadata\.jsonl:1: not valid JSON"),
        ("metadata.jsonl", "[1]", "expected an object"),
        ("metadata.jsonl", '{"kind": 1}', "no column `file_name`"),
        ("metadata.jsonl", '{"file_name": 1}', "`file_name` must be a text"),
    ],
)
def test_malformed_tables(name: str, table: str, message: str, folder: Path) -> None:
    (folder / name).write_text(table, encoding="utf-8")
    with pytest.raises(MtlError, match=message):
        ImageFolder(train=folder).load()


def test_two_tables_are_ambiguous(folder: Path) -> None:
    for name in ("metadata.csv", "metadata.jsonl"):
        (folder / name).write_text("file_name,kind\n", encoding="utf-8")
    with pytest.raises(MtlError, match=r"contains metadata\.csv, metadata\.jsonl, expected one of them"):
        ImageFolder(train=folder).load()


def test_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match=r"contains no image \(extensions: \.bmp, \.gif"):
        ImageFolder(train=tmp_path).load()


def test_single_image_is_predicted(folder: Path) -> None:
    corpus = ImageFolder(train=folder).load_file(folder / "red" / "1.png", ["label"])
    assert list(corpus.inputs) == [str(folder / "red" / "1.png")]
    assert list(corpus.splits) == ["test"]
