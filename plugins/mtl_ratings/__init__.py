"""Ratings of products by aspect, computed from customer reviews, as a plugin.

Reviews are a stream: `readers/` contains one reader of rows per file format, `reviews.py` converts rows to reviews,
`scan.py` validates them, `sentences.py` splits texts into sentences, `opinions.py` predicts opinions, `sums.py`
aggregates them. `compute_ratings.py` computes ratings from the sums, and `writers.py` writes them as a table, a
page or a chart. `pipeline.py` runs all of it for the command, the server and Python programs.
"""

from mtl_core import Commands, Service, hookimpl


@hookimpl
def mtl_commands() -> list[Commands]:
    return [Commands("absa", "Aspect-based sentiment analysis: ratings from reviews.", "mtl_ratings.cli:app")]


@hookimpl
def mtl_services() -> list[Service]:
    return [
        Service("ratings", "Ratings of products by aspect, from a file of reviews.", "mtl_ratings.service:build_router")
    ]
