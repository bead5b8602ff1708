"""The built-in task kinds, for plugins that create tasks (such as auxiliary tasks)."""

from mtl_core.builtins.task_kinds.classification import Classification, TokenTagging
from mtl_core.builtins.task_kinds.multilabel import MultiLabel
from mtl_core.builtins.task_kinds.regression import Regression, TokenRegression
from mtl_core.builtins.task_kinds.self_supervised import BagOfWords, MaskedTokens, Reconstruction
from mtl_core.builtins.task_kinds.two_and_ordered import Binary, Ordinal

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
