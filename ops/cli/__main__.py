"""`python -m ops.cli`: how the supervisor starts its children."""

from ops.cli import main

main()
