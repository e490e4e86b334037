"""`python -m graph` is `recallql`."""

from graph.cli.commands import main

main()
