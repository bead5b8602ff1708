"""The model card of a run: what the network is for, what it learned from, how good it is, where it ends.

As of reports, everything on a card was read from the run directory (`read.py`), so that it can be made again.
`limits.py` draws the plain words from the figures; `markdown.py` and `as_json.py` lay a card out.
"""
