"""Jinja2 templates of the pages; this file makes the directory a package, so that they are installed."""
