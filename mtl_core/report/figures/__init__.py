"""Drawings, a module each. They work for pages and for papers alike: only the palette differs."""
