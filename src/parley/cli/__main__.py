"""`python -m parley.cli`: the same as `parley`."""

from parley.cli import main

main(prog_name="parley")
