"""Transformers with a few hundred random weights, written by `save_pretrained` of transformers.

This module does not import the plugin, which reads any folder that `save_pretrained` writes.
"""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'"
WORDS = ["the", "soup", "was", "lovely", "bread", "wait", "##er", "un", "##ed", "good", "##ly", "place"]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertModel", {}),
    "roberta": ("RobertaModel", {"type_vocab_size": 1}),
    "distilbert": ("DistilBertModel", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}),
    "electra": ("ElectraModel", {"embedding_size": 12}),
    "mpnet": ("MPNetModel", {}),
    "deberta-v2": ("DebertaV2Model", {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
}
"""Class and config entries besides the sizes, per model type."""


def write_tokenizer(folder: Path, byte_level: bool = False) -> int:
    """Write a tokenizer of single characters and a few words, or of bytes; return the size of its vocabulary."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if byte_level:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        special_tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=320, special_tokens=special_tokens, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator(["the soup was lovely and the bread was good"] * 3, trainer)
        first, padding, last, unknown, mask = special_tokens
    else:
        special_tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        vocabulary = [*special_tokens, *CHARACTERS, *(f"##{character}" for character in CHARACTERS), *WORDS]
        tokenizer = Tokenizer(
            models.WordPiece({subword: index for index, subword in enumerate(vocabulary)}, unk_token="[UNK]")  # noqa: S106
        )
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        padding, unknown, first, last, mask = special_tokens
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(special_token, tokenizer.token_to_id(special_token)) for special_token in (first, last)],
    )
    fast_tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token=first,
        sep_token=last,
        pad_token=padding,
        unk_token=unknown,
        mask_token=mask,
    )
    fast_tokenizer.save_pretrained(folder)
    return int(tokenizer.get_vocab_size())


def write_model(folder: Path, kind: str = "bert", **config: Any) -> Path:
    """Write a model and its tokenizer into a folder; keywords change its config."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder, byte_level=kind == "roberta")
    class_name, extra_config = KINDS[kind]
    model_class = getattr(transformers, class_name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = model_class(
            model_class.config_class(
                vocab_size=size, pad_token_id=int(kind == "roberta"), **{**SIZES, **extra_config, **config}
            )
        )
        for parameter in network.parameters():  # with smaller weights, most units would have no effect
            torch.nn.init.normal_(parameter, std=0.4)
    network.save_pretrained(folder)
    return folder


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@cache
def tiny_model(kind: str = "bert") -> Path:
    """Return the path of a model that all tests of a process share; it must not be changed."""
    return write_model(Path(_folder().name) / kind, kind)
