"""The sections of a comparison's report."""
