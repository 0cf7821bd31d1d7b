"""What holds for all distributions of the repository."""

from __future__ import annotations

import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = sorted(
    path.parent
    for pattern in ("core", "simulators", "plugins/*", "examples/*")
    for path in ROOT.glob(f"{pattern}/pyproject.toml")
)
VERSION = (ROOT / "VERSION").read_text(encoding="utf-8").strip()

each_distribution = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def project_name(folder: Path) -> str:
    match = re.search(r'^name = "(.+)"', (folder / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert match
    return match[1]


@each_distribution
def test_every_distribution_has_the_version_of_the_repository(folder):
    assert distribution(project_name(folder)).version == VERSION


@each_distribution
def test_every_distribution_carries_the_license(folder):
    # A copy: neither sdist nor wheel can hold a file from outside of the distribution's folder.
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert distribution(project_name(folder)).metadata.get_all("License-File") == ["LICENSE"]


@each_distribution
def test_every_distribution_says_what_it_is_and_is_typed(folder):
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {project_name(folder)}\n")
    assert list(folder.glob("src/*/py.typed"))


def test_the_changelog_has_an_entry_for_this_version():
    release = re.sub(r"\.dev\d+$", "", VERSION)
    assert re.search(rf"^## {re.escape(release)}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))], ids=lambda page: page.name
)
def test_every_file_that_a_page_links_to_is_there(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []
