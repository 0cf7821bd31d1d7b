from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from cloudmarker import hookspecs

PAGE = (Path(__file__).parent.parent / "hooks.md").read_text(encoding="utf-8")
HOOKS = [name for name in vars(hookspecs) if name.startswith("cloudmarker_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_page_shows_the_exact_signature_of_every_hook(hook):
    signature = str(inspect.signature(getattr(hookspecs, hook))).replace("'", "")
    assert f"## `{hook}`\n\n```text\n{hook}{signature}\n```\n" in PAGE


@pytest.mark.parametrize("hook", HOOKS)
def test_the_page_shows_an_implementation_of_every_hook(hook):
    parameters = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"@hookimpl\ndef {hook}({parameters}):\n" in PAGE


def test_the_page_names_no_hook_that_does_not_exist():
    assert set(re.findall(r"## `(\w+)`", PAGE)) == set(HOOKS)


@pytest.mark.parametrize("spec", [hookspecs.PluginSpec, hookspecs.CommandSpec])
def test_the_page_shows_every_field_of_the_specs(spec):
    fields = list(inspect.signature(spec).parameters)
    assert [field for field in fields if f"{field}=" not in PAGE] == []
