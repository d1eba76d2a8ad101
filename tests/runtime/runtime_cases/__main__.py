"""``python -m runtime_cases PACKAGE``."""

import sys

from . import main

sys.exit(main())
