"""What the figures were measured on, and what else that machine did meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import time
from pathlib import Path


def describe() -> str:
    """Return the machine, the interpreter and the date as a sentence."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_cores()} cores ({_processor()}), {memory_gb:.0f} GB of memory, {platform.system()} {_kernel()}, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d', time.gmtime())}."
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _kernel() -> str:
    return ".".join(platform.release().split(".")[:2])


class Load:
    """How much of the processors others used, from the making of the object on."""

    def __init__(self) -> None:
        self._start = self._now()

    def describe(self) -> str:
        """Return a sentence on it, empty where the system does not tell."""
        start, now = self._start, self._now()
        if start is None or now is None or now[0] == start[0]:
            return ""
        total, used, own = (after - before for after, before in zip(now, start, strict=True))
        others = max(0.0, used - own) / total
        return f"Other processes used {100 * others:.0f} % of the cores meanwhile."

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        """Return (all, not idle, of this process and its descendants) processor time so far, in seconds."""
        try:
            words = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
        except OSError:
            return None
        ticks = [
            int(word) / os.sysconf("SC_CLK_TCK") for word in words
        ]  # user nice system idle iowait irq softirq steal
        own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(ticks), sum(ticks) - ticks[3] - ticks[4], sum(usage.ru_utime + usage.ru_stime for usage in own)
