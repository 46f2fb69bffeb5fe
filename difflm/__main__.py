"""`python -m difflm`, the same as `difflm`."""

from difflm.cli import main

main()
