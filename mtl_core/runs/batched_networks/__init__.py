"""Runs of independent single-task networks that are trained at once.

Every network equals that of a separate run with `active_tasks: [TASK]`, up to rounding. `build.py` builds the
networks, `validation.py` scores them after each epoch, `evaluation.py` scores a split, and `run.py` is the run from
data files to one run directory for all of them.
"""
