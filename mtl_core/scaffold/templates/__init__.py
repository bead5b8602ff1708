"""Templates of a new plugin. This file makes the folder a package, so that the templates are installed."""
