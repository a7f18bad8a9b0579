"""Build helm, helm4, kind and helm-docs, each in the version pinned here, into .tools/bin.

    python tools/install_tools.py [name ...]

Needs Go and a way to Go modules. A tool that is there in its version already is left alone.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TOOLS_FOLDER = Path(__file__).parent.parent / ".tools"
OLDEST_GO = (1, 21)  # the first that fetches the newer Go which a module asks for
LAST_LINES = 15


@dataclass(frozen=True)
class Tool:
    """A program from a Go module.

    `ldflags` may hold {version}, {number} (the version without its v) and {kubernetes_minor}; `ask` are the words that
    make the program tell its version.
    """

    name: str
    module: str
    package: str
    version: str
    ask: tuple[str, ...]
    ldflags: str = ""


# Plainly built, Helm 3 says "v3.22", which pyhelm3 refuses, and takes Kubernetes for 1.20, with which `helm template`
# refuses a chart for 1.27 or newer: the same variables as in Helm's own Makefile are set. Helm 4 needs only the first.
HELM_3 = " ".join(
    [
        "-X helm.sh/helm/v3/internal/version.version={version}",
        "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor={kubernetes_minor}",
        "-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor={kubernetes_minor}",
    ]
)
HELM_4 = "-X helm.sh/helm/v4/internal/version.version={version}"
HELM_ASK = ("version", "--template", "{{.Version}}")

TOOLS = (
    Tool("helm", "helm.sh/helm/v3", "cmd/helm", "v3.22.0", HELM_ASK, HELM_3),
    Tool("helm4", "helm.sh/helm/v4", "cmd/helm", "v4.3.1", HELM_ASK, HELM_4),
    Tool("kind", "sigs.k8s.io/kind", "", "v0.33.0", ("version",)),
    Tool(
        "helm-docs",
        "github.com/norwoodj/helm-docs",
        "cmd/helm-docs",
        "v1.14.2",
        ("--version",),
        "-X main.version={number}",
    ),
    Tool("actionlint", "github.com/rhysd/actionlint", "cmd/actionlint", "v1.7.12", ("--version",)),
)


class InstallError(Exception):
    """What was asked, what is wrong, what to do."""

    def __init__(self, asked: str, wrong: str, remedy: str) -> None:
        super().__init__(f"{asked}: {wrong}\n  {remedy}")


@dataclass(frozen=True)
class Go:
    """The go command, and the temporary module in which it works."""

    program: str
    module: Path

    def run(self, *arguments: str) -> str:
        """What go printed; InstallError with the last lines of its complaint if it failed."""
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
        done = subprocess.run(
            [self.program, *arguments], cwd=self.module, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            complaint = "\n  ".join(done.stderr.strip().splitlines()[-LAST_LINES:])
            raise InstallError(
                f"go {' '.join(arguments)}",
                f"exit status {done.returncode}\n  {complaint}",
                "If no module could be fetched: see that this machine reaches a Go module proxy (go env GOPROXY).",
            )
        return done.stdout.strip()


def find_go() -> str:
    """The go command of this machine, new enough."""
    program = shutil.which("go")
    oldest = ".".join(map(str, OLDEST_GO))
    remedy = f"Install Go {oldest} or newer (https://go.dev/dl), see that `go version` answers, repeat the command."
    if program is None:
        raise InstallError("build the tools", "they are built from Go modules, and there is no go on PATH", remedy)
    told = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", told)
    if found and (int(found[1]), int(found[2])) < OLDEST_GO:
        raise InstallError("build the tools", f"{program} is {found[0]}, {oldest} or newer is needed", remedy)
    return program


def is_there(binary: Path, tool: Tool) -> bool:
    """Whether the program runs and tells the pinned version."""
    if not binary.is_file():
        return False
    try:
        told = subprocess.run([binary, *tool.ask], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return number(tool) in [word.removeprefix("v") for word in told.split()]


def number(tool: Tool) -> str:
    """The pinned version without its v."""
    return tool.version.removeprefix("v")


def build(tool: Tool, go: Go) -> Path:
    """Build the tool in the temporary module; the program, checked to tell its version."""
    package = "/".join(filter(None, (tool.module, tool.package)))
    go.run("mod", "init", f"tools.local/{tool.name}")
    go.run("get", f"{package}@{tool.version}")
    ldflags = tool.ldflags.format(
        version=tool.version, number=number(tool), kubernetes_minor=kubernetes_minor(tool, go)
    )
    binary = go.module / tool.name
    go.run("build", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {ldflags}", "-o", str(binary), package)
    if not is_there(binary, tool):
        raise InstallError(
            f"build {tool.name} {tool.version}",
            "it was built, but does not tell that version",
            "Compare `ldflags` and `ask` in tools/install_tools.py with the tool's own Makefile.",
        )
    return binary


def kubernetes_minor(tool: Tool, go: Go) -> str:
    """The minor version of Kubernetes whose client the tool is built with, "" if it does not ask for it."""
    if "{kubernetes_minor}" not in tool.ldflags:
        return ""
    return go.run("list", "-m", "-f", "{{.Version}}", "k8s.io/client-go").split(".")[1]


def install(tool: Tool, folder: Path) -> None:
    """Put the tool into folder/bin, unless it is there; say what is done.

    It is built in a folder of its own beside bin, then renamed: bin never holds half a program.
    """
    final = folder / "bin" / tool.name
    if is_there(final, tool):
        print(f"{tool.name} {tool.version}: there already")
        return
    program = find_go()
    print(f"{tool.name} {tool.version}: building; the first time takes minutes", flush=True)
    start = time.monotonic()
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"building-{tool.name}-") as temporary:
        build(tool, Go(program, Path(temporary).resolve())).replace(final)
    print(f"{tool.name} {tool.version}: built in {time.monotonic() - start:.0f} s: {final}")


def main(arguments: Sequence[str]) -> int:
    """Install the tools named, or all; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(tool.name for tool in TOOLS)}")
    names = parser.parse_args(arguments).names
    unknown = sorted(set(names) - {tool.name for tool in TOOLS})
    if unknown:
        parser.error(f"no such tool: {', '.join(unknown)}; there are {', '.join(tool.name for tool in TOOLS)}")
    try:
        for tool in TOOLS:
            if not names or tool.name in names:
                install(tool, TOOLS_FOLDER.resolve())
    except InstallError as error:
        print(f"tools/install_tools.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; what was built before stays", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
