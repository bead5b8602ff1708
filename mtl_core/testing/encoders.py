"""Checks of encoders."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtl_core.plugins.specs import EncoderSpec
from mtl_core.testing.checks import Checks, build_accepted
from mtl_core.testing.encoder_features import EncoderFeatureChecks
from mtl_core.testing.encoder_fixture import EncoderFixture
from mtl_core.testing.encoder_state import EncoderStateChecks
from mtl_core.testing.encoder_tokens import EncoderTokenChecks
from mtl_core.testing.spec import spec_checks

TEXTS = (
    "The soup was lovely.",
    "Lovely bread, and the waiter was kind!",
    "Soup",
    "We waited an hour for the bill, and then the cook shouted at us.",
    "A fine place.",
    "The bread was grim.",
)
UNSEEN_TEXTS = ("Zygomorphic quokkas 1234 ...", "soup")


def encoder_checks(
    spec: EncoderSpec, inputs: Sequence[Any] | None, skip: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.encoder_checks`."""
    checks = spec_checks(spec)
    candidates = _create_sample_inputs() if inputs is None else {"inputs": (list(inputs), list(inputs[:2]))}
    for name, fixture in build_accepted(checks, candidates, lambda pair: EncoderFixture(spec, *pair), "inputs").items():
        feature_checks = EncoderFeatureChecks(fixture, tolerance)
        checks.add(
            "features",
            "The input layer returns `Features` of the declared shape.",
            feature_checks.check_shape,
            name,
        )
        checks.add(
            "padding",
            "An item's features do not depend on the batch it is in.",
            feature_checks.check_batch_invariance,
            name,
        )
        checks.add(
            "unseen-inputs",
            "Inputs that it was not fitted on can be encoded.",
            feature_checks.check_unseen_inputs,
            name,
        )
        checks.add(
            "gradients",
            "Trainable parameters of the input layer get finite gradients.",
            feature_checks.check_input_layer_gradients,
            name,
        )
        checks.add(
            "augmentation",
            "Augmented batches have the same shape, and all random draws come from torch's generator.",
            feature_checks.check_augmentation,
            name,
        )
        state_checks = EncoderStateChecks(fixture, tolerance)
        checks.add(
            "invalid-input",
            "Parsing an object of an unknown type raises an `MtlError`.",
            state_checks.check_invalid_input,
            name,
        )
        checks.add("seed", "Parsing, fitting and encoding are deterministic.", state_checks.check_deterministic, name)
        checks.add("one-pass", "Fitting iterates over the inputs only once.", state_checks.check_one_pass, name)
        checks.add("state", "An encoder restored from its state as JSON is equivalent.", state_checks.check_state, name)
        checks.add("unload", "It still works after `release`.", state_checks.check_unload, name)
        token_checks = EncoderTokenChecks(fixture)
        if not token_checks.has_words:
            checks.skip(f"words-{name}", "it returns no words")
        else:
            checks.add(
                "words",
                "Each token that the network reads has a name and a word index.",
                token_checks.check_words,
                name,
            )
        if not token_checks.has_vocabulary:
            checks.skip(f"token-ids-{name}", "it has no vocabulary of tokens")
            checks.skip(f"hide-{name}", "it has no vocabulary of tokens")
        else:
            checks.add(
                "token-ids",
                "Each token has its index in the vocabulary, or -1.",
                token_checks.check_token_ids,
                name,
            )
            checks.add(
                "mask-tokens", "Masked tokens are not visible to the network.", token_checks.check_mask_tokens, name
            )
    return checks.skip_checks(skip)


def _create_sample_inputs() -> dict[str, tuple[list[Any], list[Any]]]:
    """Return inputs to fit on and unseen inputs, per input type."""
    generator = np.random.default_rng(0)
    rows = list(generator.normal(size=(6, 5)).astype(np.float32))
    images = list(generator.integers(0, 256, size=(6, 7, 9, 3), dtype=np.uint8))
    return {
        "texts": (list(TEXTS), list(UNSEEN_TEXTS)),
        "words": ([tuple(text.split()) for text in TEXTS], [tuple(text.split()) for text in UNSEEN_TEXTS]),
        "arrays": (rows, [rows[0] + 3, np.zeros(5, dtype=np.float32)]),
        "images": (images, [255 - images[0], np.zeros_like(images[0])]),
    }
