"""Strict YAML: one document, a mapping, text keys, no key twice. Messages quote no values, which may be secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudmarker.config.model import Path, format_path

if TYPE_CHECKING:
    import yaml

MAX_VALUES = 1_000_000
"""How many values a document may hold once its aliases are written out: far above any configuration, below any harm."""

MAX_NESTING = 5_000
"""How deep the C loader may be sent: it has been seen to overflow the stack of 8 MB between 20,000 and 200,000."""

_KINDS = {
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "timestamp": "a date",
    "merge": "a merge key",
    "seq": "a list",
    "map": "a mapping",
}


class SourceError(ValueError):
    """A text is not the YAML it should be.

    Attributes:
        problems: one line each, without the name of the file.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def parse(text: str) -> dict[str, Any]:
    """Return the mapping that *text* holds.

    Raises:
        SourceError: it is not one YAML document that is a mapping of text keys, none of them twice in one mapping.
    """
    import yaml

    # The loader in C is ten times as fast, but recurses on the C stack: where a text could nest so deeply that this
    # overflows, which ends the process, the one in Python raises an exception instead.
    nesting = sum(map(text.count, ("[", "{", "- ", "? ")))
    loader = yaml.SafeLoader if nesting > MAX_NESTING else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        reader = loader(text)
        try:
            node = reader.get_single_node()
            if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
                raise SourceError("the file is empty; write at least one key, or remove the file")
            if not isinstance(node, yaml.MappingNode):
                raise SourceError(f"expected a mapping such as 'plugins: …' at the top, got {_kind(node)}")
            problems = _Inspector().inspect(node)
            if problems:
                raise SourceError(*problems)
            data: dict[str, Any] = reader.construct_document(node)
        finally:
            reader.dispose()
    except yaml.MarkedYAMLError as exc:
        raise SourceError(_position(exc.problem_mark) + _explain(exc)) from None
    except yaml.YAMLError as exc:  # a character that YAML does not allow: the only error without a mark
        where = text.count("\n", 0, getattr(exc, "position", 0)) + 1
        raise SourceError(f"line {where}: a control character, which YAML does not allow") from None
    except RecursionError:
        raise SourceError("nested too deeply") from None
    return data


class _Inspector:
    """Looks for what the safe loader lets pass: keys twice, keys that are no text, aliases without end."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.sizes: dict[int, int] = {}
        self.open: set[int] = set()

    def inspect(self, root: yaml.MappingNode) -> list[str]:
        if self.visit(root, ()) > MAX_VALUES and not self.problems:
            self.problems.append(f"its aliases expand to more than {MAX_VALUES:,} values")
        return self.problems

    def visit(self, node: yaml.Node, path: Path) -> int:
        """Inspect *node* once, however many aliases lead to it; return how many values it stands for."""
        import yaml

        identity = id(node)
        if identity in self.open:
            self.problems.append(f"{_where(path, node)}: an alias of itself; write the value out")
            return 0
        if identity not in self.sizes:
            self.open.add(identity)
            size = 1
            if isinstance(node, yaml.MappingNode):
                size += self.visit_mapping(node, path)
            elif isinstance(node, yaml.SequenceNode):
                size += sum(self.visit(child, (*path, position)) for position, child in enumerate(node.value))
            else:
                self.visit_scalar(node, path)
            self.open.discard(identity)
            self.sizes[identity] = size
        return self.sizes[identity]

    def visit_mapping(self, node: yaml.MappingNode, path: Path) -> int:
        size = 0
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                size += self.visit(value, path)
                continue
            if key.tag != "tag:yaml.org,2002:str":
                shown = f"the key {key.value!r}" if isinstance(key.value, str) else "a key"
                self.problems.append(f"{_where(path, key)}: {shown} is {_kind(key)}, not text; write it in quotes")
                continue
            here = (*path, key.value)
            if key.value in lines:
                first = lines[key.value]
                self.problems.append(f"{format_path(here)}: set twice, on line {first} and on line {line}; keep one")
            lines.setdefault(key.value, line)
            size += self.visit(value, here)
        return size

    def visit_scalar(self, node: yaml.Node, path: Path) -> None:
        """Report what looks like a date or a number to YAML but is none: the loader would fail without a position."""
        from yaml.constructor import SafeConstructor

        construct = SafeConstructor.yaml_constructors.get(node.tag)
        if construct is None:
            fault = "an unknown tag; write a value that begins with '!' or '=' in quotes"
            self.problems.append(f"{_where(path, node)}: {fault}")
            return
        try:
            construct(SafeConstructor(), node)
        except ValueError:
            self.problems.append(f"{_where(path, node)}: looks like {_kind(node)} but is none; write it in quotes")


def _where(path: Path, node: yaml.Node) -> str:
    line = f"line {node.start_mark.line + 1}"
    return f"{format_path(path)}: {line}" if path else line


def _kind(node: yaml.Node) -> str:
    return _KINDS.get(node.tag.rpartition(":")[2], "text")


def _position(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not valid YAML"
    if "alias" in problem:
        return "an alias to nothing; write a value that begins with '*' in quotes"
    if "tag" in problem:
        return "an unknown tag; write a value that begins with '!' in quotes"
    if "another document" in problem:
        return "a second document; a configuration file holds one"
    # What the parser quotes may be part of a value; its own words for tokens, <like this>, and single characters stay.
    problem = re.sub(r"'[^'<>]{2,}'", "…", problem)
    return f"not valid YAML: {problem}" + (f" ({error.context})" if error.context else "")
