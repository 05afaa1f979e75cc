"""`python -m difffake`: the same as the command `difffake`."""

import sys

from difffake.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
