"""`mtl serve`: an HTTP server for a saved run.

The texts of a request (`tickets.py`) enter a queue (`waiting.py`); one thread owns the network, takes batches from
the queue and computes their predictions (`worker.py`). `app.py` builds the application, `run.py` starts the server,
and `served.py` defines the object that routes of plugins receive.
"""
