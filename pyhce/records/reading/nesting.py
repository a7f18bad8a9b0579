"""Find where a JSON value ends by matching its brackets and strings, across chunks, at any depth."""

from __future__ import annotations

import re

_BACK = rb"|(?!)"
"""The last alternative of a group that is repeated with `*+`. It never matches: before 3.11.5 Python ended such a
repetition where its last, failed try had come to (gh-106052), and with this it ends where that try began."""
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+' + _BACK + rb')*+"'
_FLAT = rb'[{\[](?:[^"{}\[\]]++|' + _STRING + _BACK + rb")*+[}\]]"
_INNER = rb'[{\[](?:[^"{}\[\]]++|' + _STRING + rb"|" + _FLAT + _BACK + rb")*+[}\]]"
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|' + _STRING + rb"|" + _INNER + _BACK + rb")*+", re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+' + _BACK + rb")*+", re.DOTALL)
_OPENING, _CLOSING = re.compile(rb"[{\[]++"), re.compile(rb"[}\]]++")


def _string_end(data: bytes, at: int) -> int:
    """The closing quote of the string that `at` is in, or a backslash that is the last byte; else the data's end."""
    quote = data.find(b'"', at)
    if quote >= 0 and (quote == at or data[quote - 1] != 0x5C):
        return quote
    if quote < 0 and data.find(b"\\", at) < 0:
        return len(data)
    found = _IN_STRING.match(data, at)
    return found.end() if found else at


class Nesting:
    """The depth of a position in a text, kept from chunk to chunk."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.in_string = self.escaped = False

    def find_end(self, data: bytes, at: int) -> int | None:
        """The position after the value that began at depth 0; None if it does not end in this chunk."""
        size = len(data)
        if self.escaped and at < size:
            at, self.escaped = at + 1, False
        while at < size:
            if self.in_string:
                at = _string_end(data, at)
                if at < size:
                    self.in_string = False
                    if data[at] == 0x5C:  # a backslash, the last byte of the chunk
                        self.in_string = self.escaped = True
                    elif not self.depth:
                        return at + 1
                    at += 1
                continue
            found = _TO_BRACKET.match(data, at) if self.depth else None
            at = found.end() if found else at
            if at < size:
                if opening := _OPENING.match(data, at):
                    self.depth += opening.end() - at
                    at = opening.end()
                elif closing := _CLOSING.match(data, at):
                    if closing.end() - at >= self.depth:
                        return at + max(1, self.depth)
                    self.depth -= closing.end() - at
                    at = closing.end()
                else:
                    self.in_string = True
                    at += 1
        return None
