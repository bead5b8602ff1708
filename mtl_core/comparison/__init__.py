"""Was learning together worth it? The same experiment trained in several ways, and compared by paired bootstrap.

`variants.py` and `plan.py` say what is trained, `trials.py` and `workers.py` train it, `outputs.py` reads what was
said, `scores.py` and `bootstrap.py` resample it, `measure.py` and `compare.py` compare, `words.py`, `tables.py` and
`latex.py` tell. `summary.py` is what all of them know.
"""
