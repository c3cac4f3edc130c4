"""`python -m brrtrouter` is the `brrtrouter` command."""

import sys

from brrtrouter.cli import main

sys.exit(main())
