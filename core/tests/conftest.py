"""Fixtures for the tests of core."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cloudmarker.cli import main
from cloudmarker.plugins import registry
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # how long an example takes is no part of a rule
settings.load_profile("any machine")


class Site:
    """A folder on the path of this process, and of the commands it runs, to install made-up distributions in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def module(self, name: str, text: str) -> None:
        """Write the module *name*, with the packages above it."""
        path = self.path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.relative_to(self.path).parents:
            if parent.name:
                (self.path / parent / "__init__.py").touch()
        path.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()

    def install(self, name: str, hooks: str | None = None, *, entry_points: str | None = None, metadata: bool = True):
        """Install a distribution of version 1.5 with a module of hooks.

        Args:
            name: its name.
            hooks: the text of the module ``<name with _>_hooks``; what it needs of the hook specs is imported.
            entry_points: the text of entry_points.txt if it is not the entry point of that module.
            metadata: whether there is a METADATA.
        """
        package = name.replace("-", "_")
        if hooks is not None:
            head = "from cloudmarker.hookspecs import CommandSpec, PluginSpec, hookimpl\n"
            self.module(f"{package}_hooks", head + textwrap.dedent(hooks))
        info = self.path / f"{package}-1.5.dist-info"
        info.mkdir(parents=True)
        (info / "entry_points.txt").write_text(entry_points or f"[cloudmarker]\nacme = {package}_hooks\n")
        if metadata:
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n\nVersion: 9\n")
        importlib.invalidate_caches()
        registry.cache_clear()

    def run(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``cloudmarker`` with *args* in a process of its own."""
        return self.python("-m", "cloudmarker", *args, cwd=cwd)

    def invoke(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run ``cloudmarker`` with *args* in this process, which is quicker."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as exit_:
            main.main(list(args), "cloudmarker")
        assert isinstance(exit_.value.code, int)
        return subprocess.CompletedProcess(args, exit_.value.code, out.getvalue(), err.getvalue())

    def python(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python with *args* in a process of its own that finds what is installed here."""
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(self.path), "HOME": str(self.path), "COLUMNS": "80"}
        command = [sys.executable, *args]
        where = cwd or self.path
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=where, timeout=60, check=False)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site, gone again after the test."""
    folder = tmp_path / "site"
    folder.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("COLUMNS", "80")
    registry.cache_clear()
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    registry.cache_clear()


class Command:
    """The command ``cloudmarker`` in a directory of its own, with one configuration file there.

    Args:
        directory: where it runs; its HOME.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.out = directory / "out"
        self.log = directory / "log"
        self._started: list[subprocess.Popen[str]] = []

    def configure(self, plugins: dict[str, Any] | None = None, **more: Any) -> None:
        """Write the configuration: the audit `a` of the plugin `cloud`, by default a mock cloud, and what is *more*."""
        config: dict[str, Any] = {
            "plugins": {
                "cloud": {"plugin": "mockcloud"},
                "filestore": {"params": {"path": str(self.out)}},
                **(plugins or {}),
            },
            "audits": {
                "a": {"clouds": ["cloud"], "stores": ["filestore"], "events": ["mockevent"], "alerts": ["filestore"]}
            },
            "run": ["a"],
            "state": {"path": str(self.directory / "state")},
            "logger": {"handlers": {"file": {"filename": str(self.log)}}},
        }
        (self.directory / "c.yaml").write_text(yaml.safe_dump(_merged(config, more)))

    def start(self, *args: str, env: dict[str, str] | None = None, **popen: Any) -> subprocess.Popen[str]:
        """Start it with ``-c c.yaml`` and *args*; it finds the plugins in tests/support."""
        path = os.pathsep.join([str(Path(__file__).parent / "support"), os.environ.get("PYTHONPATH", "")])
        settings: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **popen}
        process = subprocess.Popen(
            [sys.executable, "-m", "cloudmarker", "-c", "c.yaml", *args],
            cwd=self.directory,
            env={**os.environ, "HOME": str(self.directory), "PYTHONPATH": path, "COLUMNS": "80", **(env or {})},
            **settings,
        )
        self._started.append(process)
        return process

    def run(self, *args: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.start(*args, **more)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            self.close()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def logged(self, pattern: str, timeout_s: float = 20) -> re.Match[str]:
        """Wait until the log has a line like *pattern*."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            text = self.log.read_text() if self.log.exists() else ""
            if found := re.search(pattern, text):
                return found
            time.sleep(0.02)
        raise AssertionError(f"no log line like {pattern!r}")

    def close(self) -> None:
        """Kill what is still running; workers go with their command."""
        for process in self._started:
            process.kill()
            process.wait()


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = {**old, **new}
    for key in old.keys() & new.keys():
        if isinstance(old[key], dict) and isinstance(new[key], dict):
            both[key] = _merged(old[key], new[key])
    return both


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """The command in an empty directory, configured for a mock audit."""
    made = Command(tmp_path)
    made.configure()
    yield made
    made.close()


@pytest.fixture(scope="session")
def command_in() -> Callable[[Path], Command]:
    """What makes a :class:`Command`, for fixtures that live longer than a test."""
    return Command
