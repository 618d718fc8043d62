"""Refuse files over 1 MiB; run by pre-commit with the changed files as arguments."""

import sys
from pathlib import Path

LIMIT_BYTES = 1024 * 1024

too_large = [name for name in sys.argv[1:] if Path(name).stat().st_size > LIMIT_BYTES]
if too_large:
    sys.stderr.write(f"over 1 MiB: {', '.join(too_large)}\n")
    sys.exit(1)
