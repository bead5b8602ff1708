"""`python -m mtl_core`: the command line, for launchers that start a module (`accelerate launch -m mtl_core`)."""

from mtl_core.cli.app import main

main()
