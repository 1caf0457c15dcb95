"""`python -m pipeline.cli`: the same as `calends`."""

from pipeline.cli import main

main()
