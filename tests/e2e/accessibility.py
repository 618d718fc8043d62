"""What axe-core finds on a page."""

from pathlib import Path
from typing import Any

from tests.e2e.browser import Tab

AXE = Path(__file__).resolve().parents[2] / "app/web/node_modules/axe-core/axe.min.js"


async def violations(tab: Tab) -> list[str]:
    """Return what breaks WCAG 2.2 AA seriously, as `rule: element`."""
    found: list[dict[str, Any]] = await tab.page.evaluate(
        """async () => {
            const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
            const { violations } = await axe.run({ runOnly: tags });
            return violations.map(({ id, impact, nodes }) => ({
                id, impact, nodes: nodes.map((node) => node.html.slice(0, 160)),
            }));
        }"""
    )
    return [
        f"{one['id']}: {node}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
