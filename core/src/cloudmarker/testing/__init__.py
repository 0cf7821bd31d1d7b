"""What plugin authors need to test their plugins. First-party plugins are tested with the same.

- :func:`check_plugin` holds a plugin class against the contract of its kind: a plugin's whole basic test is one call.
- :mod:`cloudmarker.testing.records` makes records of every type.
- :class:`MemoryStore` keeps what it is given; :class:`MemoryRun` notes what a store says of its records.
- :mod:`cloudmarker.testing.servers`, imported by its own name, has an HTTP server that fails on demand.

Nothing here needs a test framework: a failing check raises AssertionError.
"""

from __future__ import annotations

from cloudmarker.testing import records
from cloudmarker.testing.conformance import check_plugin
from cloudmarker.testing.stores import MemoryRun, MemoryStore

__all__ = ["MemoryRun", "MemoryStore", "check_plugin", "records"]
