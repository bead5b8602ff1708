"""The run-time classes of the trackers."""
