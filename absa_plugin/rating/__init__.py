"""Ratings of products by aspect, computed from customer reviews.

Reviews are a stream: `files.py` and the modules per file format read rows, `reviews.py` converts rows to reviews,
`sentences.py` splits texts into sentences, `opinions.py` predicts opinions, `sums.py` aggregates them. `ratings.py`
computes ratings from the sums, and `outputs.py` writes them as a table, a page or a chart. `rate.py` runs the whole
pipeline for the command, the server and Python programs.
"""
