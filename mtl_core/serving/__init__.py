"""`mtl serve`: a saved run behind HTTP.

Requests become tickets (`tickets.py`) in a queue (`waiting.py`); one thread owns the network, takes what waits and
answers it together (`worker.py`). `app.py` joins that with the routes; `run.py` listens. What routes of plugins are
given is in `served.py`.
"""
