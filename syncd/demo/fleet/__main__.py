"""python -m syncd.demo.fleet"""

from __future__ import annotations

import sys

from syncd.demo.fleet import main

if __name__ == "__main__":
    sys.exit(main())
