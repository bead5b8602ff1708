"""A context manager that silences the output of transformers."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_transformers() -> Iterator[None]:
    """Disable progress bars and messages of transformers and of the hub's client; restore the settings on exit."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging

    verbosity, has_progress_bars, is_hub_silent = (
        logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
        are_progress_bars_disabled(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if has_progress_bars:
                logging.enable_progress_bar()  # enables the bars of the hub's client, too
            if is_hub_silent:
                disable_progress_bars()
