"""Start-up: what answers at once.

Each is a whole process, with every distribution of the repository installed. The least is an interpreter that starts
and ends; the mock audit of ten records is what an audit costs before its first record: the configuration, five
processes, and the files brought to the disk.
"""

from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path

from _measuring import Command, in_turn
from _results import Claim, Options, Results, Table

ROUNDS = 15
HELP_S = 0.2
PLUGINS_S = 0.3


def main(options: Options) -> Results:
    """Measure, and return the table and claims."""
    cloudmarker = str(Path(sysconfig.get_path("scripts")) / "cloudmarker")
    config = options.folder / "cloudmarker.yaml"
    store = {"plugin": "filestore", "params": {"path": str(options.folder / "records")}}
    log = {"handlers": {"file": {"filename": str(options.folder / "cloudmarker.log")}}}
    config.write_text(json.dumps({"plugins": {"filestore": store}, "logger": log}), encoding="utf-8")
    environment = {"XDG_STATE_HOME": str(options.folder)}
    python = "python -c pass"
    lines = {
        python: (sys.executable, "-c", "pass"),
        "cloudmarker --help": (cloudmarker, "--help"),
        "cloudmarker plugins list": (cloudmarker, "plugins", "list"),
        "cloudmarker config check": (cloudmarker, "-c", str(config), "config", "check"),
        "cloudmarker -n, ten mock records": (cloudmarker, "-n", "-c", str(config)),
    }
    commands = {name: Command(line, environment) for name, line in lines.items()}
    runs = in_turn(commands, options.rounds or (2 if options.quick else ROUNDS))
    table = Table(
        ("", "best, s", "median, s", "processor time, s", "largest process, MB", "best, times the interpreter's"),
        [
            (
                f"`{name}`" if "," not in name else f"`{name.partition(',')[0]}`,{name.partition(',')[2]}",
                f"{found.best_s:.3f}",
                f"{found.median_s:.3f}",
                f"{found.cpu_s:.3f}",
                f"{found.peak_mb:.0f}",
                f"{found.best_s / runs[python].best_s:.1f}",
            )
            for name, found in runs.items()
        ],
        "The median of the processor time, of all processes together.",
    )
    claims = [
        Claim(f"`{name}` answers in under {limit_s} s", f"{runs[name].best_s:.2f} s", runs[name].best_s < limit_s)
        for name, limit_s in (("cloudmarker --help", HELP_S), ("cloudmarker plugins list", PLUGINS_S))
    ]
    return Results((table,), claims)
