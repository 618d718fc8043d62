"""TA-Lib, without the table libraries that it would load where they happen to be installed.

It looks for pandas and polars to accept their series too. Nobody here hands it one; reading pandas
takes a fifth of a second and 60 MiB, and each call would look at its arguments once more.
"""

import sys

_TABLES = [name for name in ("pandas", "polars") if name not in sys.modules]

sys.modules.update(dict.fromkeys(_TABLES))  # type: ignore[arg-type]  # None: "not installed"
try:
    import talib
finally:
    for _name in _TABLES:
        del sys.modules[_name]

__all__ = ["talib"]
