"""News for a desk that has none of its own: invented by us, and marked so in every item.

No real headline may be shipped, and none is imitated: these speak of moods and shop windows, give
no figures, and name an invented survey or a "demo note" as their authority. They exist so that a
first question about news shows how the desk answers. `OUTCRY_DEMO_NEWS=0` removes them.
"""

from importlib import resources

import msgspec

SOURCE = "Outcry demo (synthetic)"


def read_demo_news() -> list[msgspec.Raw]:
    """Return the items as the intake takes them."""
    lines = resources.files("tools.market").joinpath("demo_data/news.jsonl").read_bytes()
    return [msgspec.Raw(line) for line in lines.splitlines() if line]
