"""The errors that users see: what is wrong, and what to do."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""A text or a path as text that every output can encode. Bytes of a file name that are not UTF-8 become `\xf1`."""
    try:
        return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a surrogate pair, which does not stand for a byte
        return str(text).encode("utf-8", "backslashreplace").decode()


class HceError(Exception):
    """An error that a user can act on. As text: `wrong`, then `remedy` on the next line.

    Args:
        wrong: what failed, with the wrong value and why. Never a patient's document.
        remedy: what to do: a command if there is one.
        exit_code: the exit status of the command line: 1 a failure, 2 a usage or connection error.
    """

    def __init__(self, wrong: str, *, remedy: str, exit_code: int = 1) -> None:
        self.wrong = printable(wrong)
        self.remedy = printable(remedy)
        super().__init__(f"{self.wrong}\n{self.remedy}")
        self.exit_code = exit_code


class UsageError(HceError):
    """An argument or a combination of arguments is not valid."""

    def __init__(self, wrong: str, *, remedy: str) -> None:
        super().__init__(wrong, remedy=remedy, exit_code=2)


class ConnectionFailed(HceError):
    """A node does not answer, or refuses the connection."""

    def __init__(self, wrong: str, *, remedy: str) -> None:
        super().__init__(wrong, remedy=remedy, exit_code=2)


class DeclarationError(HceError):
    """The declaration of the schema violates one of its rules."""


class SchemaMismatch(HceError):
    """The database does not have the schema of this release."""


class ForeignNode(HceError):
    """A node belongs to another cluster."""
