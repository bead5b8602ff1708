"""The built-in loss weightings, which combine the losses of several tasks.

A task's `weight` sets its relative importance. A weighting ignores tasks without labels in the batch. Its state for
a task changes only in steps with labels of the task.
"""
