"""`python -m graph` is `recallql`."""

from graph.cli import main

main()
