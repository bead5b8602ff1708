"""Readers of files of reviews.

`open_reviews.py` selects the reader of a file; each reader is a subclass of `ReviewFile` in a module of its own.
"""
