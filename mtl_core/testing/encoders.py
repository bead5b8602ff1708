"""Checks of encoders."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtl_core.specs import EncoderSpec
from mtl_core.testing.acceptance import accepted
from mtl_core.testing.checks import Checks
from mtl_core.testing.encoder_features import EncoderFeatures
from mtl_core.testing.encoder_state import EncoderState
from mtl_core.testing.encoder_words import EncoderWords
from mtl_core.testing.encoding import Encoding
from mtl_core.testing.spec import spec_checks

TEXTS = (
    "The soup was lovely.",
    "Lovely bread, and the waiter was kind!",
    "Soup",
    "We waited an hour for the bill, and then the cook shouted at us.",
    "A fine place.",
    "The bread was grim.",
)
STRANGE_TEXTS = ("Zygomorphic quokkas 1234 ...", "soup")


def encoder_checks(
    spec: EncoderSpec, inputs: Sequence[Any] | None, without: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.encoder_checks`."""
    checks = spec_checks(spec)
    tried = _usual() if inputs is None else {"inputs": (list(inputs), list(inputs[:2]))}
    for name, made in accepted(checks, tried, lambda pair: Encoding(spec, *pair), "inputs").items():
        features = EncoderFeatures(made, tolerance)
        checks.add("features", "The input layer returns `Features` of the declared shape.", features.shape, name)
        checks.add("padding", "An item's features do not depend on the batch it is in.", features.company, name)
        checks.add("unseen", "Inputs that it was not fitted on can be encoded.", features.unseen, name)
        checks.add(
            "gradients", "Trainable parameters of the input layer get finite gradients.", features.gradients, name
        )
        state = EncoderState(made, tolerance)
        checks.add("refuses", "Parsing an object of an unknown type raises an `MtlError`.", state.refuses, name)
        checks.add("seed", "Parsing, fitting and encoding are deterministic.", state.repeats, name)
        checks.add("one-pass", "Fitting iterates over the inputs only once.", state.one_pass, name)
        checks.add("state", "An encoder restored from its state as JSON is equivalent.", state.state, name)
        checks.add("release", "It still works after `release`.", state.release, name)
        words = EncoderWords(made)
        if not words.has_words:
            checks.leave_out(f"words-{name}", "it returns no words")
        else:
            checks.add("words", "Each token that the network reads has a name and a word index.", words.words, name)
        if not words.has_vocabulary:
            checks.leave_out(f"token-ids-{name}", "it has no vocabulary of tokens")
            checks.leave_out(f"hide-{name}", "it has no vocabulary of tokens")
        else:
            checks.add("token-ids", "Each token has its index in the vocabulary, or -1.", words.ids, name)
            checks.add("hide", "Masked tokens are not visible to the network.", words.hide, name)
    return checks.without(without)


def _usual() -> dict[str, tuple[list[Any], list[Any]]]:
    """Return inputs to fit on and unseen inputs, per input type."""
    random = np.random.default_rng(0)
    rows = list(random.normal(size=(6, 5)).astype(np.float32))
    return {
        "texts": (list(TEXTS), list(STRANGE_TEXTS)),
        "words": ([tuple(text.split()) for text in TEXTS], [tuple(text.split()) for text in STRANGE_TEXTS]),
        "arrays": (rows, [rows[0] + 3, np.zeros(5, dtype=np.float32)]),
    }
