"""Train many networks of the same form at once, each on its own labels.

`stacked_networks.py` computes all networks as one, with parameters stacked by network, and `input_readers.py` their
input layers; `dropout_masks.py` draws for each network the dropout masks of its separate training; `network_batch.py`
selects the rows of each network; `step.py`, `trainer.py` and `loop.py` train. Every network has its own optimizer
state, best epoch and early stopping, and equals the network of a separate training up to rounding.
"""
