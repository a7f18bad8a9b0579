"""The data folder: what it holds, whose it is, one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from pyhce.citus.connection import libpq_variables
from pyhce.errors import HceError, UsageError
from pyhce.local.account import Account
from pyhce.local.engine import Engine
from pyhce.schema.model import Frozen
from pyhce.settings import LOGIN_ROLES

STATE_FILE = "pyhce.json"
FORMAT = 1


class NodeState(Frozen):
    """A node as the folder remembers it."""

    name: str
    port: int


class FolderState(Frozen):
    """What the folder remembers: with it, the next start makes the same cluster."""

    format: int = FORMAT
    engine: Engine
    time_zone: str
    nodes: tuple[NodeState, ...]


def default_folder() -> Path:
    """PYHCE_HOME, else /var/lib/pyhce for root, else pyhce under XDG_DATA_HOME or ~/.local/share."""
    home = os.environ.get("PYHCE_HOME")
    if home:
        return Path(home).expanduser()
    if os.geteuid() == 0:
        return Path("/var/lib/pyhce")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "pyhce"


def read_state(folder: Path) -> FolderState | None:
    """What the folder remembers, None if it is not one of ours yet.

    Raises:
        HceError: it is there, but not to be read.
    """
    try:
        text = (folder / STATE_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise HceError(
            f"{folder} belongs to another account", remedy="Run this as that account, or give another --folder."
        ) from error
    try:
        return FolderState.model_validate_json(text)
    except ValidationError as error:
        raise HceError(
            f"{folder / STATE_FILE} is not as this release writes it",
            remedy="Use the release of pyhce that made the folder, or give another --folder.",
        ) from error


def write_state(folder: Path, state: FolderState) -> None:
    """Remember, whole or not at all."""
    write_private(folder / STATE_FILE, state.model_dump_json(indent=1) + "\n")


def write_private(path: Path, text: str) -> None:
    """A file of mode 600, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    partial.rename(path)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder: a second `up` or `down` waits."""
    with (folder / ".lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def make_folder(folder: Path, account: Account) -> None:
    """Make the folder, if it is not there.

    Raises:
        UsageError: it is there and something else, or cannot be made.
        HceError: the account that runs PostgreSQL cannot reach it.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", remedy="Give a folder with --folder.")
    if (
        folder.is_dir()
        and any(folder.iterdir())
        and not (folder / STATE_FILE).exists()
        and not _first_start_was_interrupted(folder)
    ):
        raise UsageError(
            f"{folder} holds other things than a pyhce database", remedy="Give a new or empty folder with --folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be used: {error.strerror}", remedy="Give another --folder, or set PYHCE_HOME."
        ) from error
    for parent in folder.resolve().parents:
        if account.is_other_user and not _open_to(parent, account):
            raise HceError(
                f"PostgreSQL runs under uid {account.uid}, which may not pass through {parent} to {folder}",
                remedy="Give a --folder outside of private folders, such as /var/lib/pyhce.",
            )
    if account.is_other_user:
        os.chown(folder, 0, account.gid)
        folder.chmod(0o710)
    else:
        folder.chmod(0o700)
    (folder / ".lock").touch(mode=0o600)


def _first_start_was_interrupted(folder: Path) -> bool:
    """Whether a first start was cut off before it wrote what it remembers."""
    return (folder / ".lock").exists()


def _open_to(path: Path, account: Account) -> bool:
    held = path.stat()
    shift = 6 if held.st_uid == account.uid else 3 if held.st_gid == account.gid else 0
    return bool(held.st_mode >> shift & 1)


def passwords(folder: Path) -> dict[str, str]:
    """The roles' passwords: made up once, kept in a file of mode 600."""
    path = folder / "passwords.json"
    if path.exists():
        held: dict[str, str] = json.loads(path.read_text())
        return held
    made = {role: secrets.token_urlsafe(24) for role in LOGIN_ROLES}
    write_private(path, json.dumps(made, indent=1) + "\n")
    return made


def write_pgpass(folder: Path, state: FolderState) -> Path:
    """The password file that libpq reads: a line for each role and node."""
    held = passwords(folder)
    lines = [f"localhost:{node.port}:*:{role}:{password}" for node in state.nodes for role, password in held.items()]
    path = folder / "pgpass"
    write_private(path, "\n".join(lines) + "\n")
    return path


def libpq_environment(folder: Path, state: FolderState, role: str) -> dict[str, str]:
    """The variables that lead libpq to the coordinator."""
    return {
        **libpq_variables("localhost", state.nodes[0].port, role),
        "PGPASSFILE": str((folder / "pgpass").resolve()),
    }
