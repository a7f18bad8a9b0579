"""The documentation agrees with the program: commands, links, counts, spelling; and the site can be built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from pyhce import api
from pyhce.cli import main
from pyhce.records.erasing.receipt import Outcome
from pyhce.schema.declaration import SCHEMA, shorthand

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.es.md")
CHART_README = Path("charts/hce-citus/README.md")
NOT_COMMITTED = ROOT / "docs" / "commands.md"
PAGES = sorted(
    path.relative_to(ROOT) for path in {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {NOT_COMMITTED}
)
GENERATED = {Path("docs/data-dictionary.md"), Path("docs/data-dictionary.es.md")}

pages = pytest.mark.parametrize("page", [*PAGES, CHART_README], ids=str)
written_pages = pytest.mark.parametrize("page", [page for page in PAGES if page not in GENERATED], ids=str)


def text_of(page: str | Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


# Commands


def commands(group: click.Group, path: str = "pyhce") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        elif not command.hidden:
            yield f"{path} {name}", command


@pytest.mark.parametrize("path", [path for path, _ in commands(main)])
def test_every_command_is_in_the_readmes_and_its_help_has_an_example(path: str) -> None:
    assert "Example" in (dict(commands(main))[path].help or ""), path
    for name in READMES:
        assert named_in(text_of(name), path), f"{path} is not in {name}"


def named_in(readme: str, path: str) -> bool:
    """Whether a row of the table of commands names it."""
    first, last = " ".join(path.split()[:2]), path.split()[-1]
    table = [line for line in readme.splitlines() if line.startswith("| `pyhce")]
    return any((f"`{first}" in row and last in row) or f"`{last}`" in row for row in table)


CODE = re.compile(r"^```.*?^```$|^ {4,}\S[^\n]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"(?:^|[`(|&])[ ]*pyhce +(?=[a-z-])([^\n`|;)&]*)", re.MULTILINE)


def calls(text: str) -> Iterator[list[str]]:
    """The arguments of every `pyhce …` in the code of a page, up to a pipe, a comment or a closing bracket."""
    for code in CODE.findall(text.replace("\\|", "/").replace("\\\n", " ")):
        for call in CALL.findall(re.sub(r"(?<=\s)#.*", "", code)):
            yield call.split()


def mistake(arguments: list[str]) -> str | None:
    """What the command line does not know of a call: the command, or an option of it."""
    command: click.Command = main
    known = {"--help", "-h", "--version"}
    for argument in arguments:
        word = argument.strip("\"',:")
        if word == "--":
            return None
        if word.startswith("-") and word != "-":
            options = {opt for param in command.params for opt in (*param.opts, *param.secondary_opts)}
            if word.partition("=")[0] not in options | known:
                return f"{command.name} has no option {word}"
        elif isinstance(command, click.Group) and word not in {"…", "COMMAND"}:
            if word in command.commands:
                command = command.commands[word]
            elif command.name == "patient" and not word.islower():
                command = command.commands["show"]
            else:
                return f"{command.name} has no command {word}"
    return None


@pages
def test_every_command_line_in_the_documentation_is_one_that_pyhce_knows(page: Path) -> None:
    mistakes = {" ".join(call): wrong for call in calls(text_of(page)) if (wrong := mistake(call))}
    assert mistakes == {}


def test_a_command_line_with_a_mistake_is_found() -> None:
    text = "    pyhce load --writers 4 x\n\nand `pyhce import`, `pyhce patient CC-1 --rows 3 | less --x`"
    assert [mistake(call) for call in calls(text)] == [
        "load has no option --writers",
        "main has no command import",
        None,
    ]


@pages
def test_every_make_target_in_the_documentation_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text_of(page), re.MULTILINE)
    assert set(named) <= targets


# Facts that the code states


def test_the_documentation_has_the_numbers_of_the_code(tmp_path: Path) -> None:
    api.generate_docs(tmp_path)
    codes = re.findall(r"^\| `HCE(\d{2})", (tmp_path / "checks.md").read_text("utf-8"), re.MULTILINE)
    tables = re.findall(r"^\d+ tables, \d+", (tmp_path / "data-dictionary.md").read_text("utf-8"), re.MULTILINE)
    every, without = len(codes), len(codes) - codes.count("09")  # 09xx: Kubernetes
    expected = {
        "README.md": f"run {without} [checks](docs/checks.md) with stable codes, {every} on Kubernetes",
        "README.es.md": f"ejecuta {without} [comprobaciones](docs/checks.md) con código estable, {every} en Kubernetes",
        "CHANGELOG.md": f"{without} checks with stable codes, {every} on Kubernetes",
    }
    assert {page: words for page, words in expected.items() if words not in text_of(page)} == {}
    assert f"A schema of {tables[0]} of them for a FHIR R4 type" in text_of("CHANGELOG.md")
    assert tables[0].endswith(f" {len(SCHEMA.by_type)}")


@pytest.mark.parametrize("readme", READMES)
def test_the_readme_names_the_environment_variables_that_the_code_reads(readme: str) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "pyhce").rglob("*.py"))
    variable = r"PYHCE_[A-Z_]+[A-Z]|HCE_TIME_ZONE"
    assert set(re.findall(variable, text_of(readme))) == set(re.findall(rf"[\"']({variable})[\"']", code))


def first_column(page: str, heading: str) -> set[str]:
    """The code in the first cells of the table under a heading cell."""
    table = text_of(page).split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return {
        word for cell in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for word in re.findall(r"`([^`]+)`", cell)
    }


def test_the_codes_that_the_documentation_explains_are_the_ones_of_the_code() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "pyhce" / "records").rglob("*.py"))
    reasons = first_column("docs/rejects.md", "reason")
    assert {"not-json", "database"} <= reasons
    assert [reason for reason in reasons if f'"{reason}"' not in code] == []
    outcomes = first_column("docs/erasure.md", "`outcome` in the receipt")
    assert outcomes == {outcome.value for outcome in Outcome}


def test_both_readmes_have_the_same_commands_tables_and_sections() -> None:
    assert [shape(text_of(readme)) for readme in READMES[:1]] == [shape(text_of(readme)) for readme in READMES[1:]]


def shape(readme: str) -> list[tuple[str, int]]:
    """For each section its level, and how many rows, bullets and lines of code it has."""
    sections = re.split(r"^(#+) .*$", readme, flags=re.MULTILINE)[1:]
    return [
        (level, len(re.findall(r"^(?:\||- |```| {4}\S)", body, re.MULTILINE)))
        for level, body in zip(sections[::2], sections[1::2], strict=True)
    ]


# Links


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page, as a forge makes them of its headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S), re.M)
    kept = (re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.lower())) for heading in headings)
    return frozenset(heading.strip().replace(" ", "-") for heading in kept)


@pages
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        file = (ROOT / page).parent / unquote(target) if target else ROOT / page
        if file.resolve() == NOT_COMMITTED:
            continue
        if not file.exists() or (anchor and anchor not in anchors(file.resolve())):
            broken.append(link)
    assert broken == []


PATH = re.compile(r"`((?:pyhce|tests|tools|bench|charts|values|docs|postgres-citus|registrar)/[\w./-]+)`")


@written_pages
def test_every_file_of_the_repository_that_a_page_names_is_there(page: Path) -> None:
    text = text_of(page)
    named = [*PATH.findall(text), *re.findall(r"python ((?:tools|tests)/[\w/]+\.py)", text)]
    assert [name for name in named if not (ROOT / name).exists() and "COUNTRY" not in name] == []


@pytest.mark.parametrize(
    ("page", "section", "folder"),
    [
        ("architecture", "The way of a loaded line", "pyhce/records"),
        ("architecture", "The way of a saved resource", "pyhce/records"),
        ("architecture", "How an install runs", "pyhce/deploy"),
        ("contributing/check", "Choose the code", "pyhce/verify"),
    ],
)
def test_the_modules_that_a_section_names_are_there(page: str, section: str, folder: str) -> None:
    text = next(part for part in text_of(f"docs/{page}.md").split("\n## ") if part.startswith(section))
    named = re.findall(r"`((?:[a-z_]+/)?[a-z_]+\.py)`", text)
    assert named
    places = (ROOT / folder, ROOT / folder / "writing")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def test_the_functions_that_declare_a_column_are_the_ones_of_the_code() -> None:
    page = text_of("docs/contributing/column.md")
    table = re.search(r"^## Functions$(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    assert table
    named = {
        name for row in re.findall(r"^\| (`.*?`) \|", table[1], re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert named
    assert [name for name in named if not callable(getattr(shorthand, name, None))] == []


# Spelling


def codespell(*arguments: str, text: str = "") -> str:
    pytest.importorskip("codespell_lib", reason="codespell is not installed; to enable: make test")
    command = [sys.executable, "-m", "codespell_lib", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout + done.stderr


def test_english_is_spelled_correctly() -> None:
    places = [str(page) for page in PAGES if ".es." not in page.name]
    more = ["pyhce", "tests", "tools", "bench", "charts", "values", "registrar", "Makefile", "mkdocs.yml"]
    skipped = "*.json,*.ndjson,*.gz,*.zst,*.png,*.pyc,*.txt,tests/cases"
    words = "tools/spelling/english.txt"
    assert codespell(f"--skip={skipped}", f"--ignore-words={words}", *places, *more) == ""


def test_spanish_is_spelled_correctly() -> None:
    prose = re.sub(r"\]\([^)]*\)", "]", CODE.sub("", text_of("README.es.md")))
    assert codespell("--dictionary=tools/spelling/spanish.txt", "-", text=prose) == ""


# The site


class Assets(HTMLParser):
    """The addresses that a browser loads when it shows a page; links that a reader may follow are none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        follows = tag == "a" or (tag == "link" and values.get("rel") in {"canonical", "prev", "next", "alternate"})
        names = (
            ("src", "srcset", "poster", "data", "background")
            if follows
            else ("src", "srcset", "poster", "data", "href")
        )
        self.found += [str(values[name]) for name in names if values.get(name)]


def test_the_site_is_built_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="zensical is not installed; to enable: pip install -e '.[docs]'")
    for name in ("mkdocs.yml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    reference = ROOT / "tools" / "make_command_reference.py"
    subprocess.run([sys.executable, str(reference), str(tmp_path / "docs" / "commands.md")], check=True)
    (tmp_path / CHART_README).parent.mkdir(parents=True)
    shutil.copy(ROOT / CHART_README, tmp_path / CHART_README)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    built = sorted((tmp_path / "site").rglob("*.html"))
    sources = [page for page in PAGES if page.parts[0] == "docs"]
    assert len(built) >= len(sources)
    loaded = {}
    for page in built:
        assets = Assets()
        assets.feed(page.read_text(encoding="utf-8"))
        loaded[page.name] = [address for address in assets.found if re.match(r"(?:[a-z]+:)?//", address)]
        assert 'class="mermaid"' not in page.read_text(encoding="utf-8")  # its script would come from elsewhere
    assert {name: found for name, found in loaded.items() if found} == {}
    styles = "".join(sheet.read_text(encoding="utf-8") for sheet in (tmp_path / "site").rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']*", styles) == []
