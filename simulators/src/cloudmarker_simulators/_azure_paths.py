"""The shape of Azure Resource Manager paths: what is a list, what a resource, and what it is in."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote


def normalise(path: str) -> str:
    """Return the one spelling of *path* that stands for all: Resource Manager ignores case and empty segments."""
    return "".join(f"/{part}" for part in unquote(path).lower().split("/") if part)


@dataclass(frozen=True)
class ArmPath:
    """What a normalised path names.

    Attributes:
        path: the path itself.
        subscription: id, or ``""`` for paths above all subscriptions.
        group: name of the resource group, or ``""``.
        namespace: the last provider namespace in the path, or ``""``.
        type: the last resource type with its namespace, or ``""``.
        is_list: whether it ends in a collection's name, and not in a resource's.
        parent: path of the resource, group or subscription that the list or resource is in.
    """

    path: str
    subscription: str
    group: str
    namespace: str
    type: str
    is_list: bool
    parent: str

    @classmethod
    def parse(cls, path: str) -> ArmPath:
        """Take *path*, in any spelling, apart."""
        path = normalise(path)
        parts = path.split("/")[1:]
        before, after = parts, list[str]()
        if "providers" in parts[:-1]:  # at the end it is a list itself, of the namespaces in use
            at = len(parts) - 1 - parts[-2::-1].index("providers") - 1
            before, after = parts[:at], parts[at + 1 :]
        names = after[1:] if after else before  # alternately a collection and a name in it
        is_list = len(names) % 2 == 1
        if len(after) > 1:
            kept = len(after) - (1 if is_list else 2)
            inside = before + (["providers", *after[:kept]] if kept > 1 else [])
        else:
            inside = before if after else before[: -1 if is_list else -2]
        return cls(
            path=path,
            subscription=_after(parts, "subscriptions"),
            group=_after(parts, "resourcegroups"),
            namespace=after[0] if after else "",
            type="/".join([after[0], *after[1::2]]) if len(after) > 1 else "",
            is_list=is_list,
            parent="".join(f"/{part}" for part in inside),
        )


def _after(parts: list[str], word: str) -> str:
    if word not in parts[:-1]:
        return ""
    return parts[parts.index(word) + 1]
