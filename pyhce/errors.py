"""The errors that a user meets: what was asked, what is wrong, what to do."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""A text, or a path, that every output can hold: of a file's name that is not UTF-8 the odd bytes as `\xf1`."""
    try:
        return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a surrogate pair that is no byte of a name
        return str(text).encode("utf-8", "backslashreplace").decode()


class HceError(Exception):
    """A failure that a user can act on.

    Args:
        wrong: what is wrong, with the value that is wrong and the rule it breaks. Never a patient's document.
        remedy: what to do about it.
        exit_code: the command line's exit status: 1 something is not as asked, 2 could not look or bad usage.
    """

    def __init__(self, wrong: str, *, remedy: str, exit_code: int = 1) -> None:
        self.wrong = printable(wrong)
        self.remedy = printable(remedy)
        super().__init__(f"{self.wrong}\n{self.remedy}")
        self.exit_code = exit_code


class UsageError(HceError):
    """A value that the user gave does not fit."""

    def __init__(self, wrong: str, *, remedy: str) -> None:
        super().__init__(wrong, remedy=remedy, exit_code=2)


class ConnectionFailed(HceError):
    """A node does not answer, or not to us."""

    def __init__(self, wrong: str, *, remedy: str) -> None:
        super().__init__(wrong, remedy=remedy, exit_code=2)


class DeclarationError(HceError):
    """The declaration of the schema breaks one of its own rules."""


class SchemaMismatch(HceError):
    """The database's schema is not the one that this release knows."""


class ForeignNode(HceError):
    """A node belongs to another cluster."""
