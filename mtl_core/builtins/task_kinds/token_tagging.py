"""The task kind `token-tagging`: one of several classes per token."""

from __future__ import annotations

from typing import ClassVar, Literal

from mtl_core.builtins.task_kinds.classification import MulticlassSpec
from mtl_core.plugins.specs import Level


class TokenTagging(MulticlassSpec):
    """Token classification, such as part-of-speech tagging; a label is a list with one tag per word.

    A missing tag is null in the list; an example without tags has no list.
    """

    type: Literal["token-tagging"] = "token-tagging"
    level: ClassVar[Level] = "token"
