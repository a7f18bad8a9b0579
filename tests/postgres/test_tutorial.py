"""The tutorial and the queries of the documentation run as they are written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce import local
from tests.conftest import free_port

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$|((?:^ {4}\S[^\n]*\n)+)", re.MULTILINE | re.DOTALL)
NOT_RUN = ("make up", ". .venv/bin/activate", "pyhce psql\n")
"""`make up` starts the database at port 30007; an interactive psql waits for a person."""


class Reader:
    """Runs what a reader of the documentation types, in a folder and with a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYHCE_", "PG"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**kept, "PYHCE_HOME": str(folder / "home"), "PATH": path}

    def run(self, language: str, code: str) -> str:
        """Run a block of code; what it prints.

        Args:
            language: sh, python or sql.
        """
        (self.folder / "typed").write_text(code, encoding="utf-8")
        command = {
            "sh": ["bash", "-euc", code],
            "python": [sys.executable, "typed"],
            "sql": ["pyhce", "psql", "--", "-v", "ON_ERROR_STOP=1", "-f", "typed"],
        }[language]
        done = subprocess.run(command, cwd=self.folder, env=self._environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def reader(embedded_engine: local.Engine) -> Iterator[Reader]:
    """A reader whose database has the sample patients."""
    folder = Path(tempfile.mkdtemp(prefix="pyhce-tutorial-"))
    folder.chmod(0o755)  # the server's account reads its data folder below it
    made = Reader(folder)
    try:
        made.run("sh", f"pyhce up --sample --no-citus --port {free_port()}")
        yield made
        made.run("sh", "pyhce down --delete --yes")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("page", ["README.md", "README.es.md", "docs/typed-columns.md"])
def test_every_query_of_the_documentation_runs(reader: Reader, page: str) -> None:
    queries = re.findall(r"^```sql\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert queries
    for query in queries:
        assert "row" in reader.run("sql", query)


def test_the_tutorial_runs_from_top_to_bottom(reader: Reader) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    text = text[: text.index("## 8. Stop")]  # the fixture stops the database
    printed = []
    for language, fenced, indented in BLOCK.findall(text):
        code = fenced or re.sub(r"^ {4}", "", indented, flags=re.MULTILINE)
        for line in NOT_RUN:
            code = code.replace(line, "")
        if "not allowed" in code:  # a rejected resource: exit status 1, as the tutorial says
            code = code.replace("pyhce load -\n", "pyhce load - || test $? = 1\n")
        if code.strip():
            printed.append(reader.run(language or "sh", code))
    told = "\n".join(printed)
    assert "Elena Rojas  CC-52100200" in told
    assert "changed 2" in told
    assert '"reason":"invalid-id"' in told
    assert "4 rows erased" in told
