"""`python -m graph` is `recallql`."""

from graph.cli.main import main

main()
