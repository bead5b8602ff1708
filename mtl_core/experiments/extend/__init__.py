"""Extend a finished run by tasks (`mtl extend`)."""
