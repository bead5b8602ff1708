"""Progress bars of trainings, in a terminal and in Jupyter."""
