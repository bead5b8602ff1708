"""Train one experiment in several ways and compare the results.

`variants.py`, `baselines.py` and `plan.py` define what is trained; `run_outputs.py` reads the outputs of runs, and
`comparability.py` checks them; `seed_scores.py` scores one seed and `compared_scores.py` all variants;
`decide_verdicts.py` and `margins.py` decide on their differences with `mtl_core.statistics`; `compare_runs.py` and
`variant_scores.py` put the comparison together; the other modules format and write it.
"""
