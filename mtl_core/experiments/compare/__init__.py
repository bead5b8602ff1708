"""Train one experiment in several ways and compare the results by paired bootstrap.

`variants.py`, `baselines.py` and `plan.py` define what is trained; `run_outputs.py` reads the outputs of runs, and
`comparability.py` checks them; `seed_scores.py`, `bootstrap.py` and `paired_bootstrap.py` score and resample them;
`compare_runs.py` and `variant_scores.py` compare variants; the other modules format and write the result.
"""
