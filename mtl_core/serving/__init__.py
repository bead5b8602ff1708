"""`mtl serve`: an HTTP server for a saved run.

The texts of a request enter a queue (`request_queue.py`). One thread owns the network, takes batches from the
queue and computes their predictions (`worker.py`). `app.py` builds the application, `server.py` starts the server,
and `served_run.py` defines the object that routes of plugins receive.
"""
