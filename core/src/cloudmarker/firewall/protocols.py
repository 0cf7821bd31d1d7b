"""Protocols of firewall rules: names and numbers in one spelling."""

from __future__ import annotations

_NAMES = {
    **dict.fromkeys(("", "*", "any", "all", "-1"), "all"),
    "1": "icmp",
    "4": "ipip",
    "6": "tcp",
    "17": "udp",
    "50": "esp",
    "51": "ah",
    "58": "icmpv6",
    "132": "sctp",
    "icmp6": "icmpv6",
    "ipv6-icmp": "icmpv6",
    "gre": "47",
}
"""Spelling in lower case → canonical spelling. The numbers are IANA's; those without a name here stay numbers."""


def normalise_protocol(value: str | int | None) -> str:
    """Return a protocol in canonical spelling.

    Args:
        value: a name, or an IANA protocol number as integer or text. None, an empty text, ``*``, ``any``, ``all`` and
            -1 mean every protocol.

    Returns:
        A name in lower case where clouds have a common one (``tcp``, ``udp``, ``icmp``, ``icmpv6``, ``esp``, ``ah``,
        ``sctp``, ``ipip``), ``all`` for every protocol, the number as text (``"47"``) for others, and what is none of
        these as it was written, in lower case.

    >>> [normalise_protocol(value) for value in ("Tcp", 6, "006", "*", None, 47, "IPv6-ICMP")]
    ['tcp', 'tcp', 'tcp', 'all', 'all', '47', 'icmpv6']
    """
    if value is None:
        return "all"
    text = str(value).strip().lower()
    if text[:1] == "0" and text.isdecimal():
        text = text.lstrip("0") or "0"
    return _NAMES.get(text, text)
