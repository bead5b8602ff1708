"""Figures, one per module, for pages and for papers; only the palette differs."""
