"""`python -m pyhce`."""

from pyhce.cli import main

main()
