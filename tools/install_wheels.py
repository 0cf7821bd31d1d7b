"""Build a wheel of every distribution of the repository, and install them with their test dependencies.

    python tools/install_wheels.py FOLDER

The wheels go to FOLDER, the installation into the environment of the interpreter that runs this. tox uses it, so that
the tests of each Python version run against what users install and not against the checkout.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATTERNS = ("core", "simulators", "plugins/*", "examples/*")


def distributions() -> list[Path]:
    """Return the folder of every distribution in the repository."""
    return [path.parent for pattern in PATTERNS for path in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))]


def main(folder: Path) -> None:
    """Build the wheels into *folder*, which is emptied first, and install them."""
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, *distributions()], check=True)
    # Named by path: an index may have a distribution of the same name and a higher version.
    wheels = [f"{wheel}[test]" for wheel in sorted(folder.glob("*.whl"))]
    subprocess.run([*pip, "install", "--force-reinstall", "--no-deps", *wheels], check=True)
    subprocess.run([*pip, "install", *wheels], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
