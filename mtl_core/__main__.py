"""`python -m mtl_core`: the command line for launchers that run a module (`accelerate launch -m mtl_core`)."""

from mtl_core.cli.app import main

main()
