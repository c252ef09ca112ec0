"""What axe-core, the checker of accessibility, finds on a page."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.components import npm_packages

# WCAG 2.2 AA and the best practices.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def faults(page: Page) -> list[str]:
    """The rules that the page breaks, each with the elements that break it. Empty where it breaks none."""
    page.evaluate((npm_packages() / "axe-core/axe.min.js").read_text("utf-8"))
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", _RULES)
    return [f"{each['id']}: {[node['html'][:200] for node in each['nodes']]}" for each in found["violations"]]
