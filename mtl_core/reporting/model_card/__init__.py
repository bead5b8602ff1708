"""The model card of a run: intended use, training data, evaluation and limits.

A card is read from the files of the run directory (`read.py`), so it can be regenerated. `limits.py` derives the
limits from the scores; `markdown.py` and `as_json.py` format a card.
"""
