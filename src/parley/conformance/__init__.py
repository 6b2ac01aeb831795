"""The conformance suite: what a Realtime server must do, as some hundreds of named checks against any URL.

It knows the wire and nothing of this server: no type of `parley.protocol` is used, so that a mistake there cannot
hide itself. `check` says what a check is, `bench` and `peer` are what it works with, `areas` hold the checks,
`ordering` and `shapes` judge every event of the whole run, `suite` runs, `report` counts. Used by `parley conformance`.
"""

from parley.conformance.bench import Target
from parley.conformance.check import Check
from parley.conformance.report import Report, Result
from parley.conformance.suite import all_checks, run_checks

__all__ = ["Check", "Report", "Result", "Target", "all_checks", "run_checks"]
