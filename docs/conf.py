from __future__ import annotations

from pathlib import Path

project = "cloudmarker"
author = copyright = "Cloudmarker authors and contributors"
release = version = (Path(__file__).parent.parent / "VERSION").read_text(encoding="utf-8").strip()

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
exclude_patterns = ["_build", "tests"]

html_theme = "furo"
html_title = f"cloudmarker {release}"
# Nothing on a page comes from another host, and building asks nobody.
html_copy_source = False
