"""A plugin that prints, for the tests that run audits in real processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

print("printed at import")


class PrintingCloud:
    """Prints, in every way that there is, whenever it is called; yields one record."""

    def __init__(self) -> None:
        print("printed by the constructor")

    def read(self) -> Iterator[dict[str, Any]]:
        print("printed by read")
        os.write(1, b"written to the descriptor\n")
        subprocess.run(["echo", "printed by a command"], check=True)
        yield {"raw": {"data": 0}, "com": {"record_type": "mock", "cloud_type": "mock", "reference": "mock/0"}}

    def done(self) -> None:
        print("printed by done")
