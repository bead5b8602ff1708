"""Auxiliary tasks, whose labels are derived from the inputs or from additional label columns."""

from pathlib import Path

from mtl_auxiliary.adversarial import Adversarial
from mtl_auxiliary.aspect_presence import AspectPresence
from mtl_auxiliary.auxiliary_target import AuxiliaryTarget
from mtl_auxiliary.bag_of_words import BagOfWordsTask
from mtl_auxiliary.gradient_reversal import GradientReversal
from mtl_auxiliary.marked_words import MarkedWords
from mtl_auxiliary.masked_tokens import MaskedTokensTask
from mtl_auxiliary.opinion_words import OpinionWords
from mtl_auxiliary.part_of_speech import PartOfSpeech
from mtl_auxiliary.reconstruction import ReconstructionTask
from mtl_auxiliary.sentence_length import SentenceLength
from mtl_auxiliary.word_frequency import WordFrequency
from mtl_core import AuxiliarySpec, HeadSpec, hookimpl


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
