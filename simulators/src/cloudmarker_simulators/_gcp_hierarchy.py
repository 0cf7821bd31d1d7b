"""The organization of a synthetic Google tenant: its folders and projects, and what each of them is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import lru_cache

from cloudmarker_simulators._http import JsonObject
from cloudmarker_simulators._sizes import Size
from cloudmarker_simulators._stamps import Place, variant_of

PROJECTS_A_FOLDER = 20
"""So many projects there are for each folder; one in five of them is in the organization itself."""

ONCE = -1
"""The unit in which the resources are that a project has once."""


class Hierarchy:
    """An organization with folders, every second one in the one before it, and projects. All go by number, from 0.

    Attributes:
        organization: the organization's number in the API.
        folders: how many there are.
    """

    def __init__(self, size: Size, title: str, zones: Sequence[str]) -> None:
        self._size = size
        self._title = title
        self._zones = zones
        digest = hashlib.sha256(f"organization {size.seed}".encode()).hexdigest()
        self.organization = str(700_000_000_000 + int(digest[:8], 16))
        self._prefix = f"p{digest[8:12]}"
        self._first_number = 300_000_000_000 + int(digest[12:18], 16) * 0x10000
        self._first_folder = 500_000_000_000 + int(digest[18:24], 16) * 0x10000
        self.folders = -(-size.scopes // PROJECTS_A_FOLDER)

    def number(self, project: str) -> int | None:
        """Return which project an id or a number is; None if it is none."""
        if project.isdigit():
            found = int(project) - self._first_number
        elif project.startswith(f"{self._prefix}-") and project[len(self._prefix) + 1 :].isdigit():
            found = int(project[len(self._prefix) + 1 :])
            if self.id(found) != project:
                return None
        else:
            return None
        return found if 0 <= found < self._size.scopes else None

    def id(self, project: int) -> str:
        """Return the id of a project."""
        return f"{self._prefix}-{project:05}"

    def number_of(self, project: int) -> str:
        """Return the number that the API has for a project."""
        return str(self._first_number + project)

    def folder_index(self, name: str) -> int | None:
        """Return which folder a number of the API is; None if it is none."""
        index = int(name) - self._first_folder if name.isdigit() else -1
        return index if 0 <= index < self.folders else None

    def folders_in(self, parent: str) -> list[int]:
        """Return the numbers of the folders below *parent*, itself included."""
        kind, _, name = parent.partition("/")
        if kind == "organizations":
            return list(range(self.folders))
        if kind != "folders":
            return []
        index = self.folder_index(name)
        if index is None:
            return []
        return [index, index + 1] if index % 2 == 0 and index + 1 < self.folders else [index]

    def projects_in(self, parent: str) -> Sequence[int] | None:
        """Return the projects below *parent*, itself included; None if there is no such parent."""
        kind, _, name = parent.partition("/")
        if kind == "organizations":
            return range(self._size.scopes) if name == self.organization else None
        if kind == "projects":
            number = self.number(name)
            return None if number is None else [number]
        folders = set(self.folders_in(parent))
        if not folders:
            return None
        return [number for number in range(self._size.scopes) if self._folder_of(number) in folders]

    def placer(self, project: int | None) -> Callable[[int], Place]:
        """Return what gives the place of each unit of a project; of the organization if it is None."""
        if project is None:
            return lambda _unit: self.organization_place()
        return lambda unit: self.place(project, unit)

    @lru_cache(maxsize=4096)  # noqa: B019 (it lives as long as its simulator)
    def place(self, project: int, unit: int) -> Place:
        """Return the place of a unit of a project, or that of what a project has once."""
        zone = self._zones[unit % len(self._zones)]
        host = project * max(self._size.scale, 1) + max(unit, 0) + 256
        folder = self._folder_of(project)
        parent = f"organizations/{self.organization}" if folder is None else f"folders/{self._first_folder + folder}"
        number = self._first_number + project
        return Place(
            {
                "org": self.organization,
                "project": self.id(project),
                "number": str(number),
                "scope": f"projects/{number}",
                "title": self._title.format(index=f"{project:05}"),
                "parent": parent,
                "parenttype": parent.partition("/")[0][:-1],
                "parentid": parent.partition("/")[2],
                "ancestors": json.dumps([f"projects/{number}", *self._ancestors(folder)]),
                "unit": f"u{project:04x}{unit & 0xFFFFFF:06x}",
                "tail": f"{project:05x}{unit & 0xFFFFFFF:07x}",
                "digits": f"{project:05}{unit + 1:07}",
                "zone": zone,
                "region": zone.rpartition("-")[0],
                "net": f"{unit >> 8 & 255}.{unit & 255}",
                "host": f"{host >> 16 & 255}.{host >> 8 & 255}.{host & 255}",
            },
            variant_of(self._size.seed, project, unit & 0xFFFFFF),
        )

    def organization_place(self) -> Place:
        """Return the place of what the organization has."""
        scope = f"organizations/{self.organization}"
        values = {"org": self.organization, "scope": scope, "ancestors": json.dumps([scope])}
        return Place({**values, "tail": "0" * 12, "digits": "0" * 12}, 0)

    def folder_place(self, index: int) -> Place:
        """Return the place of what a folder has."""
        own, *above = self._ancestors(index)
        values = {"scope": own, "parent": above[0], "title": f"Folder {index + 1:03}"}
        ancestors = json.dumps([own, *above])
        return Place({**values, "org": self.organization, "ancestors": ancestors}, variant_of(self._size.seed, index))

    def _folder_of(self, project: int) -> int | None:
        """Return which folder a project is in, None for the organization itself."""
        return None if project % 5 == 4 else project // PROJECTS_A_FOLDER

    def _ancestors(self, folder: int | None) -> list[str]:
        """Return what a folder is in, from itself up: every second one is in the one before."""
        above = [] if folder is None else [folder, folder - 1] if folder % 2 else [folder]
        return [*(f"folders/{self._first_folder + number}" for number in above), f"organizations/{self.organization}"]

    def folder(self, index: int) -> JsonObject:
        """Return a folder, as the API has it."""
        place = self.folder_place(index).values
        return {
            "name": place["scope"],
            "parent": place["parent"],
            "displayName": place["title"],
            "state": "ACTIVE",
            "createTime": "2023-01-09T10:05:00.123Z",
            "updateTime": "2023-01-09T10:05:00.123Z",
            "etag": 'W/"7bb5"',
        }

    def organization_json(self) -> JsonObject:
        """Return the organization, as the API has it."""
        return {
            "name": f"organizations/{self.organization}",
            "displayName": "example.com",
            "directoryCustomerId": "C0simulated",
            "state": "ACTIVE",
            "createTime": "2023-01-09T09:55:00.123Z",
            "updateTime": "2023-01-09T09:55:00.123Z",
            "etag": 'W/"7bb4"',
        }
