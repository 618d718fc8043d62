"""Tie every number of an answer to the tool result it came from.

Front doors: `Claim`, `Evidence` (values) and `find_claims` (matching).
"""

from agents.claims.matching import find_claims
from agents.claims.values import Claim, Evidence

__all__ = ["Claim", "Evidence", "find_claims"]
