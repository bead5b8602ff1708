"""Train one experiment in several ways and compare the results by paired bootstrap.

`variants.py` and `plan.py` define what is trained, `trials.py` and `workers.py` train it, `outputs.py` reads the
outputs of runs, `scores.py` and `bootstrap.py` resample them, `measure.py` and `compare.py` compare variants,
`words.py`, `tables.py` and `latex.py` format the result. `summary.py` defines the types of the result.
"""
