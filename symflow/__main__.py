"""``python -m symflow``."""

import sys

from symflow.cli import main

if __name__ == "__main__":
    sys.exit(main())
