"""HTML reports: one self-contained page per run or per comparison of variants.

All contents of a page are read from files with the schemas of `artifacts/`, so that a report can be regenerated at
any time. `figures/` plots, `run/` and `comparison/` select the contents and write the texts,
`templates/` contains the layout. `write.py` is the entry point for other packages.
"""
