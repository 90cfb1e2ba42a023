"""Conformance of a client in any language with the rules of docs/contract.md.

A client is a program. For each scenario it is started against a scripted server, which plays what real servers do at
their worst, and judged by what it asks for next and by what it prints. `glasstape conformance` runs them.
"""

from glasstape.conformance.run import Verdict, ordered, run
from glasstape.conformance.scenario import Scenario

__all__ = ["Scenario", "Verdict", "ordered", "run"]
