"""Secrets in a configuration: which values are secret, and showing a configuration without them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cloudmarker.config.interpolate import BadReferenceError, Reference, split
from cloudmarker.config.model import Layer, Path, format_path

MASK = "********"

_SECRET_KEY = re.compile(
    r"(secret|password|passwd|pwd|passphrase|token|(api|access|private|account|shared|routing|integration)_?key|credential|authorization"
    r"|connection_?string)s?(_|$)"
)
_ABOUT_A_SECRET = re.compile(r"_(uri|url|endpoint|path|file|name|id|type|env|ttl|bytes|seconds|s)$")
_PASSWORD_IN_URL = re.compile(r"(://[^/@\s:]*:)([^\s]+)(@)")


def is_secret_key(key: str) -> bool:
    """Tell by its name whether what stands under *key* is secret: ``secret``, ``bot_user_token``, ``apiKey``.

    A key that says where a secret is, or what is known of it (``token_uri``, ``secret_name``), is not one.
    """
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")
    if "webhook" in snake:  # the whole URL of a webhook is the right to post to it
        return True
    return bool(_SECRET_KEY.search(snake)) and not _ABOUT_A_SECRET.search(snake)


def _is_secret(key: str, value: Any) -> bool:
    """Tell whether *value* is secret by its key, *key*; of a plugin named ``webhookalert`` not everything is."""
    return is_secret_key(key) and not (isinstance(value, Mapping) and "webhook" in key.lower())


def mask(data: Any, *, secret: bool = False) -> Any:
    """Return a copy of *data*, as it is written, with what is secret replaced by :data:`MASK`.

    References are shown as they are written, ``${NAME}``: they say where a secret comes from, not what it is.

    Args:
        data: mappings, lists and plain values, references not replaced.
        secret: whether *data* stands under a secret key.
    """
    if isinstance(data, Mapping):
        return {key: mask(value, secret=secret or _is_secret(str(key), value)) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [mask(value, secret=secret) for value in data]
    if secret and data is not None and not isinstance(data, bool):
        return _mask_text(data) if isinstance(data, str) else MASK
    if isinstance(data, str):
        return _PASSWORD_IN_URL.sub(lambda match: match[1] + _mask_text(match[2]) + match[3], data)
    return data


def literal_secrets(data: Any, path: Path = (), *, secret: bool = False) -> Iterator[Path]:
    """Yield the path of each value in *data* that is a secret written out."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from literal_secrets(value, (*path, key), secret=secret or _is_secret(key, value))
    elif isinstance(data, list):
        for position, value in enumerate(data):
            yield from literal_secrets(value, (*path, position), secret=secret)
    elif MASK in str(mask(data, secret=secret)) and not _is_reference(data):
        yield path


def exposed_secrets(layer: Layer) -> Iterator[str]:
    """Yield a warning if *layer* is a file that its group or everybody can read, and holds secrets."""
    if layer.mode is None or not layer.mode & 0o044:
        return
    paths = [format_path(path) for path in literal_secrets(layer.data)]
    if paths:
        shown = ", ".join(paths[:5]) + (", …" if len(paths) > 5 else "")
        yield (
            f"{layer.name}: {shown}: a secret in a file that others can read (mode {layer.mode:04o}); "
            "make it readable to its owner only (chmod 600), or write ${NAME} and set the variable"
        )


def _mask_text(text: str) -> str:
    """Mask all of *text* but the references in it."""
    try:
        parts = split(text)
    except BadReferenceError:
        return MASK if text else text
    shown = ""
    for part in parts:
        if isinstance(part, Reference):
            shown += str(Reference(part.name, part.is_file, part.default and MASK))
        elif not shown.endswith(MASK):
            shown += MASK
    return shown


def _is_reference(value: Any) -> bool:
    """Tell whether the secret part of *value* comes from a reference without a default of its own."""
    if not isinstance(value, str):
        return False
    password = _PASSWORD_IN_URL.search(value)
    try:
        references = [part for part in split(password[2] if password else value) if isinstance(part, Reference)]
    except BadReferenceError:
        return False
    return bool(references) and not any(reference.default for reference in references)
