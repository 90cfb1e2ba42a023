"""`python -m glasstape.cli`: the command without its script."""

import sys

from glasstape.cli import main

sys.exit(main())
