"""The XHTML of a resource's narrative: txt-1 and txt-2, https://hl7.org/fhir/R4/narrative.html."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from xml.parsers import expat

from pyhce.records.reading.checks.problems import RuleProblem

_ELEMENTS = frozenset({
    "a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption", "center", "cite",
    "code", "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "i", "img", "ins", "kbd", "li", "map", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike",
    "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
})  # fmt: skip
_XHTML = "http://www.w3.org/1999/xhtml"
_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")


def check_narrative(div: str) -> Iterator[RuleProblem]:
    """Check that a narrative is well-formed XHTML with the elements that R4 allows, and not empty."""
    reader = _Reader()
    problem = reader.read(div)
    if problem:
        yield RuleProblem("txt-1", problem, ".div")
    elif not reader.has_content:
        yield RuleProblem("txt-2", "the narrative has no text and no image", ".div")


class _Reader:
    """Parses a narrative. External resources are not loaded, and entities cannot be declared."""

    def __init__(self) -> None:
        self.problem = ""
        self.depth = 0
        self.has_content = False
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype

    def read(self, div: str) -> str:
        """The first problem; "" if there is none."""
        try:
            self.parser.Parse(_NAMED.sub(_character, div).encode("utf-8", "surrogatepass"), True)
        except expat.ExpatError as error:
            return self.problem or f"the narrative is not well-formed XHTML at line {error.lineno}"
        return self.problem

    def _note(self, problem: str) -> None:
        self.problem = self.problem or problem

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        self.depth += 1
        if namespace != _XHTML:
            self._note(f"the elements of a narrative must be in the namespace {_XHTML}")
        elif self.depth == 1 and local != "div":
            self._note("the narrative must be one div element")
        elif local not in _ELEMENTS:
            self._note(f"the element {local[:40]} is not allowed in a narrative")
        for attribute, value in attributes.items():
            if attribute.lower().startswith("on") or value.lstrip().lower().startswith("javascript:"):
                self._note("scripts are not allowed in a narrative")
        self.has_content |= local == "img"

    def _end(self, name: str) -> None:
        self.depth -= 1

    def _text(self, text: str) -> None:
        self.has_content |= bool(text.strip())

    def _doctype(self, *_: object) -> None:
        self._note("a document type declaration is not allowed in a narrative")
        raise expat.ExpatError


def _character(match: re.Match[str]) -> str:
    """The character of an HTML entity; XML's own entities stay."""
    return match[0] if match[1] in _XML else html5.get(match[1] + ";", match[0])
