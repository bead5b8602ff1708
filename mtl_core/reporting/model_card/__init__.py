"""The model card of a run: intended use, training data, evaluation and limits.

A card is read from the files of the run directory (`read_card.py`), so it can be regenerated. `limitations.py`
derives the limits from the scores; `markdown.py` and `card_json.py` format a card; `schema.py` is its JSON schema.
"""
