"""The data folder of local servers: its state file, its lock, its passwords, its owner."""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from pyhce.citus.connection import libpq_variables
from pyhce.errors import HceError, UsageError
from pyhce.local.account import Account, has_permission
from pyhce.local.engine import Engine
from pyhce.schema.model import Frozen
from pyhce.settings import LOGIN_ROLES

logger = logging.getLogger(__name__)

STATE_FILE = "pyhce.json"
LOCK_FILE = ".lock"
FORMAT = 1


class NodeState(Frozen):
    """A node in the state file."""

    name: str
    port: int


class MemberState(Frozen):
    """A member of a node's group in the state file.

    Args:
        node: the node's name.
        name: the member's, and that of its data directory: the node's for the first member.
        port: of its PostgreSQL.
        rest_port: of its Patroni.
    """

    node: str
    name: str
    port: int
    rest_port: int


class StandbysState(Frozen):
    """The standbys in the state file of a data folder. With standbys, the port of a node leads to its leader."""

    etcd_port: int
    etcd_peer_port: int
    members: tuple[MemberState, ...]

    def of(self, node: str) -> tuple[MemberState, ...]:
        """The members of a node."""
        return tuple(member for member in self.members if member.node == node)


class FolderState(Frozen):
    """The content of the state file, from which the next start brings up the same nodes."""

    format: int = FORMAT
    engine: Engine
    time_zone: str
    nodes: tuple[NodeState, ...]
    standbys: StandbysState | None = None


def default_folder() -> Path:
    """The default data folder: PYHCE_HOME, else /var/lib/pyhce for root, else ~/.local/share/pyhce.

    XDG_DATA_HOME takes the place of ~/.local/share if it is set.
    """
    home = os.environ.get("PYHCE_HOME")
    if home:
        return Path(home).expanduser()
    if os.geteuid() == 0:
        return Path("/var/lib/pyhce")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "pyhce"


def read_state(folder: Path) -> FolderState | None:
    """The folder's state, None if it has no state file.

    Raises:
        HceError: the state file cannot be read.
    """
    try:
        text = (folder / STATE_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise HceError(
            f"could not read {folder}: permission denied",
            remedy="Run this as the account that made the folder, or give another --folder.",
        ) from error
    try:
        return FolderState.model_validate_json(text)
    except ValidationError as error:
        raise HceError(
            f"{folder / STATE_FILE} has a format that this release does not know",
            remedy="Use the release of pyhce that made the folder, or give another --folder.",
        ) from error


def write_state(folder: Path, state: FolderState) -> None:
    """Write the state file, completely or not at all."""
    write_private(folder / STATE_FILE, state.model_dump_json(indent=1, exclude_none=True) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 600, completely or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    partial.rename(path)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock while the block runs; wait for it while another `up` or `down` holds it."""
    lock = FileLock(folder / LOCK_FILE)
    try:
        acquired = lock.acquire(blocking=False)
    except Timeout:
        logger.info("waiting for another pyhce that holds the lock on %s", folder)
        acquired = lock.acquire()
    with acquired:
        yield


def make_folder(folder: Path, account: Account) -> None:
    """Create the folder if it does not exist, and make it private to this account and the servers'.

    Args:
        folder: the data folder.
        account: the account that the servers run under.

    Raises:
        UsageError: it is a file, holds other files, or cannot be written.
        HceError: the servers' account may not enter a folder above it.
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
            f"{folder} contains files that are not pyhce's", remedy="Give a new or empty folder with --folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UsageError(
            f"could not use {folder}: {error.strerror}", remedy="Give another --folder, or set PYHCE_HOME."
        ) from error
    for parent in folder.resolve().parents:
        if account.is_other_user and not has_permission(parent, account, 1):
            raise HceError(
                f"PostgreSQL runs as uid {account.uid}, which may not enter {parent}, a folder above {folder}",
                remedy="Give a --folder that every account can reach, such as /var/lib/pyhce.",
            )
    if account.is_other_user:
        os.chown(folder, 0, account.gid)
        if not folder.stat().st_mode & stat.S_ISVTX:  # see `let_account_make_folders`
            folder.chmod(0o710)
    else:
        folder.chmod(0o700)
    (folder / LOCK_FILE).touch(mode=0o600)


def let_account_make_folders(folder: Path, account: Account) -> None:
    """Let the servers' account add and remove its own data directories, and nothing of ours.

    Patroni makes a standby's data directory and deletes it when the standby copies the leader's data again.
    """
    if account.is_other_user:
        folder.chmod(0o1770)


def _first_start_was_interrupted(folder: Path) -> bool:
    """Whether a first start was interrupted before it wrote the state file."""
    return (folder / LOCK_FILE).exists()


def passwords(folder: Path) -> dict[str, str]:
    """The passwords by role, generated once and kept in a file of mode 600."""
    path = folder / "passwords.json"
    if path.exists():
        known: dict[str, str] = json.loads(path.read_text())
        return known
    generated = {role: secrets.token_urlsafe(24) for role in LOGIN_ROLES}
    write_private(path, json.dumps(generated, indent=1) + "\n")
    return generated


def write_pgpass(folder: Path, state: FolderState) -> Path:
    """Write libpq's password file, a line for each role and node; return its path."""
    by_role = passwords(folder)
    addresses = [f"localhost:{node.port}" for node in state.nodes]
    if state.standbys:
        addresses += [f"127.0.0.1:{member.port}" for member in state.standbys.members]
    lines = [f"{address}:*:{role}:{password}" for address in addresses for role, password in by_role.items()]
    path = folder / "pgpass"
    write_private(path, "\n".join(lines) + "\n")
    return path


def libpq_environment(folder: Path, state: FolderState, role: str) -> dict[str, str]:
    """The variables (PG*) with which libpq connects to the coordinator; the password stays in its file."""
    return {
        **libpq_variables("localhost", state.nodes[0].port, role),
        "PGPASSFILE": str((folder / "pgpass").resolve()),
    }
