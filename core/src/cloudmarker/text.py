"""Words for people: lists, plurals, names and paragraphs in messages."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from fnmatch import translate

from cloudmarker.errors import CloudmarkerError

_FRIENDLY = {
    "azure": "Azure",
    "gcp": "Google Cloud Platform (GCP)",
}
"""Technical string → the phrase a person expects to read."""


class PluralizeError(CloudmarkerError):
    """:func:`pluralize` was called with suffixes that do not fit."""


def any_of(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells whether a text is like one of *patterns*, with ``*``, ``?`` and ``[…]`` as in file names.

    A pattern is compared with the whole text; letter case is ignored.

    >>> matches = any_of(["prod-*", "shared"])
    >>> matches("PROD-eu"), matches("shared-eu")
    (True, False)
    """
    expression = re.compile("|".join(translate(pattern.casefold()) for pattern in patterns))
    return lambda text: expression.match(text.casefold()) is not None


def friendly_list(items: Iterable[object], conjunction: str = "and") -> str:
    """Return *items* as a person would list them, with the comma before the conjunction.

    Args:
        items: what to list; anything that is no string is listed as ``str()`` shows it.
        conjunction: the word before the last item.

    >>> friendly_list([])
    'none'
    >>> friendly_list(["apple"])
    'apple'
    >>> friendly_list(["apple", "ball"])
    'apple and ball'
    >>> friendly_list(["apple", "ball", "cat"])
    'apple, ball, and cat'
    >>> friendly_list(["apple", "ball"], "or")
    'apple or ball'
    >>> friendly_list(["apple", "ball", "cat"], "or")
    'apple, ball, or cat'
    """
    words = [str(item) for item in items]
    if not words:
        return "none"
    if len(words) < 3:
        return f" {conjunction} ".join(words)
    return f"{', '.join(words[:-1])}, {conjunction} {words[-1]}"


def friendly_string(technical_string: str) -> str:
    """Return the phrase that a person expects for a technical string, or the string itself if there is none.

    >>> friendly_string("azure")
    'Azure'
    >>> friendly_string("gcp")
    'Google Cloud Platform (GCP)'
    >>> friendly_string("somecloud")
    'somecloud'
    """
    return _FRIENDLY.get(technical_string, technical_string)


def one_line(text: object, limit: int = 500) -> str:
    r"""Return *text*, such as what a server or a library says, as one line of at most *limit* characters.

    >>> one_line("a\n b\r\n\tc")
    'a b c'
    """
    return shortened(" ".join(str(text).split()), limit)


def pluralize(count: float, word: str, *suffixes: str) -> str:
    """Return *word*, in its plural form unless *count* is 1.

    Args:
        count: how many there are.
        word: the singular.
        suffixes: none: the plural adds ``s``. One: the suffix to add. Two: the suffix to remove, and the one to put in
            its place.

    Raises:
        PluralizeError: there are more than two suffixes, or *word* does not end in the one to remove; whatever *count*
            is, so that a wrong call shows before the first plural.

    >>> pluralize(0, "apple"), pluralize(1, "apple"), pluralize(2, "apple")
    ('apples', 'apple', 'apples')
    >>> pluralize(0, "potato", "es"), pluralize(1, "potato", "es"), pluralize(2, "potato", "es")
    ('potatoes', 'potato', 'potatoes')
    >>> pluralize(0, "sky", "y", "ies"), pluralize(1, "sky", "y", "ies"), pluralize(2, "sky", "y", "ies")
    ('skies', 'sky', 'skies')
    """
    if len(suffixes) > 2:
        raise PluralizeError(f"surplus suffix {suffixes[2]!r} for {word!r}: at most two, one to remove and one to add")
    remove, add = ("", *suffixes)[-2:] if suffixes else ("", "s")
    if not word.endswith(remove):
        raise PluralizeError(f"{word!r} does not end in {remove!r}, the suffix to remove")
    return word if count == 1 else word.removesuffix(remove) + add


def shortened(text: str, limit: int) -> str:
    """Return *text*, or, if it is longer than *limit* characters, so many that end in ``…``.

    >>> shortened("banana", 6), shortened("bananas", 6)
    ('banana', 'banan…')
    """
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def visible(text: str, keep: str = "") -> str:
    r"""Return *text* with every character that a terminal would not show as it is replaced by its escape sequence.

    What comes from a cloud may hold control sequences, line breaks or marks that turn the direction of writing.

    Args:
        text: what is to be shown.
        keep: characters to leave as they are, besides the printable ones, e.g. a line feed.

    >>> visible("one\x1b[2Jtwo\u202ethree\n")
    'one\\x1b[2Jtwo\\u202ethree\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode() for char in text
    )


def visible_line(text: str) -> str:
    r"""Return *text* as one line with single spaces, and :func:`visible`.

    >>> visible_line("one\n  two\x1b[2J")
    'one two\\x1b[2J'
    """
    return visible(" ".join(text.split()))


def wrap_paragraphs(text: str, width: int = 70) -> str:
    r"""Return *text* with each paragraph wrapped.

    Paragraphs are separated by blank lines, which stay. Indentation that all lines share is removed, and so is white
    space at both ends of the text.

    Args:
        text: one or more paragraphs.
        width: characters of the longest line; a longer word is broken.

    >>> wrap_paragraphs("  foo bar\n\n  baz qux  \n")
    'foo bar\n\nbaz qux'
    >>> print(wrap_paragraphs("one two three four\n\nfive", width=9))
    one two
    three
    four
    <BLANKLINE>
    five
    """
    parts = re.split(
        r"(\n{2,})", textwrap.dedent(text).strip()
    )  # paragraphs with the gaps between; dedent empties those
    parts[::2] = (textwrap.fill(paragraph, width) for paragraph in parts[::2])
    return "".join(parts)
