"""The built-in task kinds, for plugins that create tasks (such as auxiliary tasks)."""

from mtl_core.builtins.task_kinds.bag_of_words import BagOfWords
from mtl_core.builtins.task_kinds.binary import Binary
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.builtins.task_kinds.masked_tokens import MaskedTokens
from mtl_core.builtins.task_kinds.multilabel import MultiLabel
from mtl_core.builtins.task_kinds.ordinal import Ordinal
from mtl_core.builtins.task_kinds.reconstruction import Reconstruction
from mtl_core.builtins.task_kinds.regression import Regression
from mtl_core.builtins.task_kinds.token_regression import TokenRegression
from mtl_core.builtins.task_kinds.token_tagging import TokenTagging

__all__ = [
    "BagOfWords",
    "Binary",
    "Classification",
    "MaskedTokens",
    "MultiLabel",
    "Ordinal",
    "Reconstruction",
    "Regression",
    "TokenRegression",
    "TokenTagging",
]
