"""Divide the tasks of an experiment into networks, and prove the division by training.

`affinity.py` measures the affinities of tasks in a short training; `divide.py` divides the tasks; `overrides.py` and
`plan.py` define the networks that are trained; `test_outputs.py` evaluates the trained networks on test data;
`verdict.py` compares them with the statistics of `mtl_core.experiments.compare`.
"""
