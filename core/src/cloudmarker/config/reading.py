"""Configuration files: where they are looked for, and reading them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from cloudmarker.config.model import Layer
from cloudmarker.config.parsing import SourceError, parse


def default_paths() -> tuple[str, ...]:
    """Return the files that are looked for when none is named, in the order they are merged."""
    return ("/etc/cloudmarker.yaml", "~/.cloudmarker.yaml", "~/cloudmarker.yaml", "cloudmarker.yaml")


def read_files(paths: Iterable[str], *, missing_ok: bool) -> tuple[list[Layer], list[str]]:
    """Read the configuration files *paths*, a leading ``~`` standing for the home directory.

    Args:
        paths: in the order in which they are merged.
        missing_ok: leave out a file that does not exist, rather than report it.

    Returns:
        A layer for each file that could be read, and one line for each problem with the others.
    """
    layers: list[Layer] = []
    problems: list[str] = []
    for path in paths:
        name = path if path.isprintable() else ascii(path)
        try:
            layers.append(_read_file(name, Path(path).expanduser()))
        except (FileNotFoundError, NotADirectoryError):
            if not missing_ok:
                problems.append(f"{name}: no such file; check the name given with --config")
        except OSError as exc:
            problems.append(f"{name}: cannot be read: {os.strerror(exc.errno or 0)}")
        except SourceError as exc:
            problems += [f"{name}: {problem}" for problem in exc.problems]
    return layers, problems


def _read_file(name: str, path: Path) -> Layer:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise SourceError(f"line {line}: not UTF-8 text; save the file as UTF-8") from None
    return Layer(name, parse(text), mode)
