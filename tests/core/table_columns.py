"""The columns of the table that the tests of the Python API use."""

COLUMNS = ["a", "b", "c"]
INPUTS = dict.fromkeys(COLUMNS, "number")
LABELS = ["topic", "rating"]
