"""Multi-task learning in PyTorch: one network, many tasks, declared in YAML or Python.

The public names are those of this package and of `mtl_core.data`, `mtl_core.nn`, `mtl_core.training`,
`mtl_core.runs`, `mtl_core.reporting` and `mtl_core.testing`; all other modules are private. Names are imported on
first use, so that importing this package imports neither torch nor spaCy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
