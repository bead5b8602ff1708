"""Auxiliary tasks, whose labels are derived from the inputs or from additional label columns."""

from pathlib import Path

from mtl_auxiliary.frequency import WordFrequency
from mtl_auxiliary.gradient_reversal import GradientReversal
from mtl_auxiliary.length import SentenceLength
from mtl_auxiliary.marked_words import MarkedWords
from mtl_auxiliary.mentioned import AspectPresence
from mtl_auxiliary.opinion_words import OpinionWords
from mtl_auxiliary.other_columns import Adversarial, AuxiliaryTarget
from mtl_auxiliary.part_of_speech import PartOfSpeech
from mtl_auxiliary.whole_input import BagOfWordsTask, MaskedTokensTask, ReconstructionTask
from mtl_core import HeadSpec, hookimpl
from mtl_core.specs import AuxiliarySpec


@hookimpl
def mtl_auxiliary_tasks() -> list[type[AuxiliarySpec]]:
    return [
        WordFrequency,
        PartOfSpeech,
        SentenceLength,
        OpinionWords,
        MarkedWords,
        AspectPresence,
        Adversarial,
        AuxiliaryTarget,
        MaskedTokensTask,
        BagOfWordsTask,
        ReconstructionTask,
    ]


@hookimpl
def mtl_heads() -> list[type[HeadSpec]]:
    return [GradientReversal]


@hookimpl
def mtl_experiments() -> Path:
    return Path(__file__).parent / "experiments"
