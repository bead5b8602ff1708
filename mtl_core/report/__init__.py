"""Reports for people: one self-contained page about a run, or about a comparison of several.

What stands on a page was read from files (`read.py`, `read_comparison.py`), never from memory, so that a report can
be made again at any time. `figures/` draws, `run/` and `comparison/` choose and word what is shown, `templates/`
lay it out. From outside, `write.py` is asked.
"""
