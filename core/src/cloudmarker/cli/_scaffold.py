"""Writing a distribution for ``cloudmarker plugins new``: small, but it installs, works and passes its test."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

import click

from cloudmarker.plugins import registry

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "$summary"
readme = "README.md"
requires-python = ">=3.10"
dependencies = ["cloudmarker>=1.0.0.dev0,<2"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points.cloudmarker]
$short = "$package"

[tool.pytest.ini_options]
addopts = "--import-mode=importlib"
testpaths = ["tests"]
"""

_README = """\
# $distribution

The $kind plugin `$short` for cloudmarker. $summary

```yaml
plugins:
  my$short:
    plugin: $short
    params:
$params
```

`cloudmarker plugins info $short` describes its parameters.
"""

_HOOKS = '''\
"""What this distribution adds to cloudmarker. Imported at every start, so it imports nothing heavy."""

from __future__ import annotations

from cloudmarker.hookspecs import PluginSpec, hookimpl


@hookimpl
def cloudmarker_plugins() -> list[PluginSpec]:
    """Return the plugins of this distribution."""
    return [
        PluginSpec(
            kind="$kind",
            name="$short",
            target="$package.plugin:$cls",
            summary="$summary",
        )
    ]
'''

_TEST = """\
from cloudmarker.testing import check_plugin$factory
from $package.plugin import $cls


def test_the_plugin_keeps_its_contract($fixture):
    check_plugin($cls, $check)
"""

_CLOUD = '''\
"""The cloud plugin. It is imported to check a configuration too: import an SDK where it is used, in a function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudmarker.contracts import Record
from cloudmarker.coverage import coverage


class $cls:
    """Yield one record for each name.

    Args:
        names: the names of the machines.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def read(self) -> Iterator[Record]:
        """Yield the records, then say what was covered."""
        for name in self._names:
            yield {
                "raw": {"name": name},
                "ext": {"cloud_type": "$short", "record_type": "machine"},
                "com": {
                    "cloud_type": "$short",
                    "record_type": "machine",
                    "reference": f"$short/{name}",
                    "account": None,
                    "name": name,
                    "location": None,
                    "tags": {},
                    "parent": None,
                    "created": None,
                },
            }
        yield coverage("$short", "$short", "machine", "ok", len(self._names))

    def done(self) -> None:
        """Release what is held: nothing."""
'''

_EVENT = '''\
"""The event plugin. It is imported to check a configuration too: import a large library where it is used."""

from __future__ import annotations

from collections.abc import Iterator

from cloudmarker.contracts import Record
from cloudmarker.findings import finding


class $cls:
    """Find resources that lack a tag.

    Args:
        tag: the tag that every resource must have.
    """

    buckets = ("com",)

    def __init__(self, tag: str = "owner") -> None:
        self._tag = tag

    def eval(self, record: Record) -> Iterator[Record]:
        """Yield an event if *record* is a resource without the tag."""
        com = record["com"]
        if "tags" in com and not com["tags"].get(self._tag):
            yield finding(
                record,
                check_id="$short",
                record_type="$short",
                severity="low",
                description=f"{com['reference']} has no tag {self._tag!r}.",
                recommendation=f"Set the tag {self._tag!r}.",
                discriminator=self._tag,
            )

    def done(self) -> None:
        """Release what is held: nothing."""
'''

_STORE = '''\
"""The store plugin. It is imported to check a configuration too: import an SDK where it is used, in a function."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import NamedTemporaryFile

from cloudmarker.contracts import Incomplete, Record


class $cls:
    """Write records to a file, one JSON object a line; the file is replaced when all records have come.

    Args:
        path: the file. Its directory must exist.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()
        self._file = NamedTemporaryFile("w", encoding="utf-8", dir=self._path.parent, delete=False)

    def write(self, record: Record) -> None:
        """Write *record*."""
        self._file.write(json.dumps(record) + "\\n")

    def done(self) -> None:
        """Put what was written in the place of the file."""
        self._file.close()
        Path(self._file.name).replace(self._path)

    def abort(self, reason: Incomplete) -> None:
        """Leave the file as it is, and put what was written beside it."""
        self._path = self._path.with_name(f"{self._path.name}.partial")
        self.done()

    def outputs(self) -> list[str]:
        """Return the file that was written."""
        return [str(self._path)]
'''

_ALERT = '''\
"""The alert plugin. It is imported to check a configuration too: import an SDK where it is used, in a function."""

from __future__ import annotations

from pathlib import Path

from cloudmarker.contracts import Record


class $cls:
    """Add one line for each event to a file.

    Args:
        path: the file. Its directory must exist.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()
        self._lines: list[str] = []

    def write(self, record: Record) -> None:
        """Take the event *record*."""
        com = record["com"]
        self._lines.append(f"{com.get('severity')}: {com.get('description')} {com.get('recommendation')}")

    def done(self) -> None:
        """Send what was taken."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\\n" for line in self._lines)

    def outputs(self) -> list[str]:
        """Return the file that was written."""
        return [str(self._path)]
'''

_TMP_PATH = {"fixture": "tmp_path", "check": '{"path": str(tmp_path / "out.txt")}', "params": "      path: out.txt"}
_KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "cloud": (
        _CLOUD,
        {
            "summary": "Yields one record for each name in its configuration.",
            "check": '{"names": ["web", "db"]}',
            "params": "      names: [web, db]",
        },
    ),
    "event": (
        _EVENT,
        {
            "summary": "Finds resources that lack a tag.",
            "factory": ", records",
            "check": '{"tag": "owner"}, records=[records.compute(tags={})]',
            "params": "      tag: owner",
        },
    ),
    "store": (_STORE, {"summary": "Writes records to a file, one JSON object a line.", **_TMP_PATH}),
    "alert": (_ALERT, {"summary": "Adds one line for each event to a file.", **_TMP_PATH}),
}
"""For each kind the module of its plugin, and what the other files say about it."""


def write(name: str, kind: str, directory: Path) -> Path:
    """Write the distribution of a new plugin.

    Args:
        name: the class name; its first letter is made a capital. The short name is the same in lower case.
        kind: the kind of the plugin.
        directory: where to put the new folder ``cloudmarker-<short name>``; it is created if need be.

    Returns:
        The new folder.

    Raises:
        click.ClickException: the name cannot be used, or the folder exists or cannot be written.
    """
    cls = name[:1].upper() + name[1:]
    short = cls.lower()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name) or keyword.iskeyword(cls):
        raise click.BadParameter(
            f"'{name}' cannot be a class name: letters and digits, such as AcmeCloud", param_hint="NAME"
        )
    if short in registry().plugins:
        owner = registry().plugins[short].distribution
        raise click.BadParameter(f"a plugin named '{short}' is installed already, with {owner}", param_hint="NAME")
    distribution, package = f"cloudmarker-{short}", f"cloudmarker_{short}"
    module, words = _KINDS[kind]
    values = {"factory": "", "fixture": "", **words}
    values |= {"cls": cls, "short": short, "kind": kind, "distribution": distribution, "package": package}
    root = directory / distribution
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"src/{package}/__init__.py": _HOOKS,
        f"src/{package}/plugin.py": module,
        f"src/{package}/py.typed": "",
        f"tests/test_{short}.py": _TEST,
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        root.mkdir()
        for file, text in files.items():
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template(text).substitute(values), encoding="utf-8")
    except OSError as exc:
        raise click.ClickException(f"{exc.filename or root}: {exc.strerror}; nothing there is overwritten") from exc
    return root
