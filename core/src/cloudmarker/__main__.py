"""``python -m cloudmarker``: the same as the command ``cloudmarker``."""

from __future__ import annotations

from cloudmarker.cli import main

if __name__ == "__main__":  # worker processes that are spawned import this module, and must not start again
    main()
