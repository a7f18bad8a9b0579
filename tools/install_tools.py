"""Build helm, helm4, kind and helm-docs, each in the version pinned here, into .tools/bin.

    python tools/install_tools.py [name ...]

Needs Go and access to a Go module proxy. A tool that exists in its pinned version is not built again.
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
OLDEST_GO = (1, 21)  # the first version that downloads a newer Go if a module needs one
LAST_LINES = 15


@dataclass(frozen=True)
class Tool:
    """A program from a Go module.

    Args:
        name: the name of the program.
        module: the Go module.
        package: the package of the program within the module.
        version: the pinned version, such as v3.22.0.
        version_arguments: the arguments with which the program prints its version.
        ldflags: linker flags; may contain {version}, {number} (the version without its v) and {kubernetes_minor}.
    """

    name: str
    module: str
    package: str
    version: str
    version_arguments: tuple[str, ...]
    ldflags: str = ""


# Without these flags Helm 3 reports the version "v3.22", which pyhelm3 refuses, and assumes Kubernetes 1.20, for which
# `helm template` refuses a chart for 1.27 or newer. Helm's own Makefile sets the same variables. Helm 4 needs the first.
HELM_3 = " ".join(
    [
        "-X helm.sh/helm/v3/internal/version.version={version}",
        "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor={kubernetes_minor}",
        "-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor={kubernetes_minor}",
    ]
)
HELM_4 = "-X helm.sh/helm/v4/internal/version.version={version}"
HELM_VERSION_ARGUMENTS = ("version", "--template", "{{.Version}}")

TOOLS = (
    Tool("helm", "helm.sh/helm/v3", "cmd/helm", "v3.22.0", HELM_VERSION_ARGUMENTS, HELM_3),
    Tool("helm4", "helm.sh/helm/v4", "cmd/helm", "v4.3.1", HELM_VERSION_ARGUMENTS, HELM_4),
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
    """A tool could not be built: the step, what is wrong, what to do."""

    def __init__(self, step: str, wrong: str, remedy: str) -> None:
        super().__init__(f"{step}: {wrong}\n  {remedy}")


@dataclass(frozen=True)
class Go:
    """The go command, and the temporary module in which it runs."""

    program: str
    module: Path

    def run(self, *arguments: str) -> str:
        """Run go and return its output; InstallError with the last lines of its errors if it failed."""
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
        done = subprocess.run(
            [self.program, *arguments], cwd=self.module, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            errors = "\n  ".join(done.stderr.strip().splitlines()[-LAST_LINES:])
            raise InstallError(
                f"go {' '.join(arguments)}",
                f"exit status {done.returncode}\n  {errors}",
                "If a download failed, check that this machine can reach a Go module proxy (go env GOPROXY).",
            )
        return done.stdout.strip()


def find_go() -> str:
    """The path of the go command; InstallError if it is missing or too old."""
    program = shutil.which("go")
    oldest = ".".join(map(str, OLDEST_GO))
    remedy = f"Install Go {oldest} or newer (https://go.dev/dl), check it with `go version`, run this command again."
    if program is None:
        raise InstallError("build the tools", "this needs Go, and there is no go on PATH", remedy)
    output = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", output)
    if found and (int(found[1]), int(found[2])) < OLDEST_GO:
        raise InstallError("build the tools", f"{program} is {found[0]}, {oldest} or newer is needed", remedy)
    return program


def is_installed(binary: Path, tool: Tool) -> bool:
    """Whether the program runs and has the pinned version."""
    if not binary.is_file():
        return False
    try:
        output = subprocess.run([binary, *tool.version_arguments], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return number(tool) in [word.removeprefix("v") for word in output.split()]


def number(tool: Tool) -> str:
    """The pinned version without its v."""
    return tool.version.removeprefix("v")


def build(tool: Tool, go: Go) -> Path:
    """Build the tool in the temporary module, and return the program; its version is checked."""
    package = "/".join(filter(None, (tool.module, tool.package)))
    go.run("mod", "init", f"tools.local/{tool.name}")
    go.run("get", f"{package}@{tool.version}")
    ldflags = tool.ldflags.format(
        version=tool.version, number=number(tool), kubernetes_minor=kubernetes_minor(tool, go)
    )
    binary = go.module / tool.name
    go.run("build", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {ldflags}", "-o", str(binary), package)
    if not is_installed(binary, tool):
        raise InstallError(
            f"build {tool.name} {tool.version}",
            "the program that was built does not report this version",
            "Compare `ldflags` and `version_arguments` in tools/install_tools.py with the tool's own Makefile.",
        )
    return binary


def kubernetes_minor(tool: Tool, go: Go) -> str:
    """The minor version of the Kubernetes client that the tool uses; "" if its ldflags do not need it."""
    if "{kubernetes_minor}" not in tool.ldflags:
        return ""
    return go.run("list", "-m", "-f", "{{.Version}}", "k8s.io/client-go").split(".")[1]


def install(tool: Tool, folder: Path) -> None:
    """Build the tool into folder/bin, unless it is installed; print what is done.

    It is built in another folder and then moved, so that bin never has an incomplete program.
    """
    final = folder / "bin" / tool.name
    if is_installed(final, tool):
        print(f"{tool.name} {tool.version}: already installed")
        return
    program = find_go()
    print(f"{tool.name} {tool.version}: building; the first build takes minutes", flush=True)
    start = time.monotonic()
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"building-{tool.name}-") as temporary:
        build(tool, Go(program, Path(temporary).resolve())).replace(final)
    print(f"{tool.name} {tool.version}: built in {time.monotonic() - start:.0f} s: {final}")


def main(arguments: Sequence[str]) -> int:
    """Install the named tools, or all of them; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"one of {', '.join(tool.name for tool in TOOLS)}; default: all"
    )
    names = parser.parse_args(arguments).names
    unknown = sorted(set(names) - {tool.name for tool in TOOLS})
    if unknown:
        parser.error(f"unknown tool: {', '.join(unknown)}; known are {', '.join(tool.name for tool in TOOLS)}")
    try:
        for tool in TOOLS:
            if not names or tool.name in names:
                install(tool, TOOLS_FOLDER.resolve())
    except InstallError as error:
        print(f"tools/install_tools.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; tools that were built before stay", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
