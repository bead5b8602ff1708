"""Templates of the pages (jinja2). This file makes the folder a package, so that the templates are installed."""
