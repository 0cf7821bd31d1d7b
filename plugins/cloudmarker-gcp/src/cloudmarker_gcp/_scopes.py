"""What is read from: a project, a folder, an organization, or all that can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloudmarker.errors import RecordError

from cloudmarker_gcp._json import text
from cloudmarker_gcp._names import RESOURCE_MANAGER, last_part

Level = Literal["everything", "organization", "folder", "project"]


@dataclass(frozen=True)
class Scope:
    """What is read from.

    Attributes:
        level: what it is.
        id: of the project, or number of the folder or organization; empty for everything.
        number: of a project; None if it is not known.
        name: its display name, likewise.
        state: as answered: ACTIVE, DELETE_REQUESTED.
    """

    level: Level = "everything"
    id: str = ""
    number: str | None = None
    name: str | None = None
    state: str | None = None

    @property
    def path(self) -> str:
        """What the APIs call it: ``projects/<id>``, ``folders/<number>``, ``organizations/<number>``."""
        return f"{self.level}s/{self.id}" if self.id else ""

    @property
    def reference(self) -> str:
        """Its full resource name; that of the service that knows all projects for everything."""
        return f"{RESOURCE_MANAGER}/{self.path}" if self.id else RESOURCE_MANAGER

    @property
    def project(self) -> str | None:
        """Id of the project, if it is one."""
        return self.id if self.level == "project" else None

    def holds(self, project: str | None) -> bool:
        """Say whether *project*, an id or a number, is this project. None is, and any is for what is no project."""
        return project is None or self.level != "project" or project in (self.id, self.number)

    @classmethod
    def of(cls, level: Level, item: Mapping[str, Any]) -> Scope:
        """Return the scope that a project, folder or organization *item* is.

        Raises:
            RecordError: it has no id.
        """
        number = last_part(text(item, "name") or "") or None
        own_id = text(item, "projectId") if level == "project" else number
        if not own_id:
            raise RecordError(
                f"{text(item, 'name') or f'a {level}'} has no {'projectId' if level == 'project' else 'name'}"
            )
        return cls(
            level,
            own_id,
            number=number if level == "project" else None,
            name=text(item, "displayName"),
            state=text(item, "state"),
        )
