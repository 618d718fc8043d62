"""TA-Lib comes without table libraries, which stay importable for others."""

import importlib.util
import subprocess
import sys


def test_no_table_library_is_read_for_it_and_none_is_lost() -> None:
    installed = [name for name in ("pandas", "polars") if importlib.util.find_spec(name)]
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, numpy as np; from tools.analytics.ta_lib import talib\n"
            "print([name for name in ('pandas', 'polars') if name in sys.modules])\n"
            "print(talib.SMA(np.arange(4.0), 2)[-1])\n"
            f"for name in {installed}: __import__(name)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[]\n2.5\n"
