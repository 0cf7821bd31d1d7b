"""One reading of firewall rules for every cloud: addresses, ports and protocols in canonical spelling.

Clouds spell the same rule in many ways. Cloud plugins use the functions of this package to fill the ``com`` bucket of
``firewall_rule`` records, event plugins to read it. Nothing here raises on what a cloud answers: a spelling that is not
understood is kept as it is. ``docs/firewall.md`` lists the spellings and the decisions.
"""

from __future__ import annotations

from cloudmarker.firewall.addresses import is_anywhere, normalise_addresses
from cloudmarker.firewall.ports import (
    DEFAULT_PORTS,
    MAX_PORT,
    checked_ports,
    compress_ports,
    covers_port,
    expand_port_ranges,
    normalise_ports,
    port_intervals,
    ports_within,
)
from cloudmarker.firewall.protocols import normalise_protocol

__all__ = [
    "DEFAULT_PORTS",
    "MAX_PORT",
    "checked_ports",
    "compress_ports",
    "covers_port",
    "expand_port_ranges",
    "is_anywhere",
    "normalise_addresses",
    "normalise_ports",
    "normalise_protocol",
    "port_intervals",
    "ports_within",
]
