"""`python -m glasstape.cli`: run the command without its script."""

import sys

from glasstape.cli import main

sys.exit(main())
