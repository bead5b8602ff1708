"""English function words by grammatical class, compiled for this project.

Only experiments that list `stop-words` under `drop` remove them: they include "not", on which polarity depends. The
contracted "n't" is kept, because cleaning that strips apostrophes first also keeps it.
"""

_PRONOUNS = """
    i me my mine myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers
    herself it its itself they them their theirs themselves this that these those what which who whom
"""
_AUXILIARIES = """
    am is are was were be been being have has had having do does did doing can will would should could might must
    may shall ca wo
"""
_ARTICLES_AND_CONJUNCTIONS = "a an the and but if or because as until while than nor so"
_PREPOSITIONS = """
    of at by for with about against between into through during before after above below to from up down in out on
    off over under
"""
_ADVERBS = """
    again further then once here there when where why how all any both each few more most other some such only own
    same too very just now not no
"""
_CLITICS = "'s 'm 're 've 'll 'd s t d m re ve ll"

_STRAIGHT = frozenset(
    word
    for words in (_PRONOUNS, _AUXILIARIES, _ARTICLES_AND_CONJUNCTIONS, _PREPOSITIONS, _ADVERBS, _CLITICS)
    for word in words.split()
)
STOP_WORDS = _STRAIGHT | {word.replace("'", "\u2019") for word in _STRAIGHT}
"""The words with the straight and with the typographic apostrophe."""
