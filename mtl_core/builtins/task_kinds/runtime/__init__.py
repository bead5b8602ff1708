"""The run-time classes of the task kinds."""
