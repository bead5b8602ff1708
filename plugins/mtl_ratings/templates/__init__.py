"""Templates of the pages of the ratings service."""
