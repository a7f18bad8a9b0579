"""The program Patroni: find it, a Python that the servers' account can run it with, and its configuration."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyhce.errors import HceError
from pyhce.local.account import Account, run_as
from pyhce.local.engine import Engine
from pyhce.local.etcd import USER as ETCD_USER
from pyhce.local.server import settings
from pyhce.patroni.groups import Group, MemberAddress
from pyhce.patroni.rest import REST_USER, rest_password
from pyhce.schema.model import Frozen
from pyhce.settings import SUPERUSER

_PROBE = "import patroni.__main__, patroni.dcs.etcd3, psutil, psycopg, yaml"
DYNAMIC_SETTINGS = (
    "max_connections",
    "max_prepared_transactions",
    "max_locks_per_transaction",
    "max_worker_processes",
    "max_replication_slots",
    "max_wal_senders",
    "wal_level",
)
"""Settings that Patroni takes from the dynamic configuration only, because all members must have the same."""


class PatroniProgram(Frozen):
    """How to run Patroni.

    Args:
        python: the Python to run it with.
        packages: where its packages are, if that Python does not find them by itself.
    """

    python: str
    packages: Path | None = None

    @property
    def command(self) -> list[str]:
        """The program and the arguments before the path of the configuration."""
        return [self.python, "-m", "patroni"]

    @property
    def env(self) -> dict[str, str]:
        """Variables to add to the environment."""
        return {"PYTHONPATH": str(self.packages)} if self.packages else {}


def find_patroni(folder: Path, account: Account) -> PatroniProgram:
    """Patroni as the servers' account can run it.

    Root's Python may be in a folder that the account may not enter. Then another Python of the same version on this
    machine runs it, if need be with a copy of its packages in the data folder.

    Raises:
        HceError: it is not installed, or there is no Python that the account can run it with.
    """
    spec = importlib.util.find_spec("patroni")
    if spec is None or spec.origin is None:
        raise HceError("Patroni is not installed", remedy="Install it with: pip install 'pyhce[ha]'")
    packages = Path(spec.origin).parent.parent
    if not account.is_other_user:
        return PatroniProgram(python=sys.executable)
    pythons = list(_pythons())
    for place in (packages, None):
        place = place or _copied_packages(folder, account)
        for python in pythons:
            candidate = PatroniProgram(python=python, packages=place)
            if _works(candidate, account):
                return candidate
    raise HceError(
        f"the account that runs PostgreSQL (uid {account.uid}) cannot run Patroni with any of {', '.join(pythons)}",
        remedy=f"Install Python {sys.version_info[0]}.{sys.version_info[1]} where every account can run it, such as "
        "/usr/bin, or run pyhce as an unprivileged user.",
    )


def _pythons() -> Iterator[str]:
    """This Python, the one that its virtual environment was made from, and others of the same version."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    found = [sys.executable, os.path.realpath(sys.executable), shutil.which(name)]
    found += [f"/usr/local/bin/{name}", f"/usr/bin/{name}"]
    yield from dict.fromkeys(path for path in found if path and os.path.exists(path))


def _works(program: PatroniProgram, account: Account) -> bool:
    try:
        return run_as([program.python, "-c", _PROBE], account, timeout=60, env=program.env).returncode == 0
    except (OSError, subprocess.SubprocessError):  # the account may not run this Python
        return False


def _copied_packages(folder: Path, account: Account) -> Path:
    """A copy of Patroni and of all that it requires, in the data folder."""
    copied = folder / "patroni" / f"packages-{importlib.metadata.version('patroni')}"
    if copied.exists():
        return copied
    partial = copied.with_name(copied.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for distribution in _required("patroni", "psycopg", "psycopg-binary", "python-etcd"):
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and source.is_file():
                target = partial / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    for path in (partial.parent, partial, *partial.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    partial.rename(copied)
    return copied


def _required(*names: str) -> list[importlib.metadata.Distribution]:
    """The installed distributions of these names, and those that they require."""
    found: dict[str, importlib.metadata.Distribution] = {}
    wanted = list(names)
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for requirement in found[name].requires or ():
            match = re.match(r"[A-Za-z0-9._-]+", requirement)
            if match and "extra ==" not in requirement:  # the extras that we use are among `names`
                wanted.append(match[0])
    return list(found.values())


def configuration(
    group: Group,
    member: MemberAddress,
    engine: Engine,
    *,
    data: Path,
    folder: Path,
    etcd_port: int,
    superuser_password: str,
) -> str:
    """A member's local configuration, as JSON, which is YAML too. It holds passwords.

    It has no section `bootstrap`: the first member adopts a data directory that exists, the others copy it.

    Args:
        data: the member's data directory.
        folder: the folder of the member's Patroni.
        etcd_port: where the store listens.
        superuser_password: of postgres; the password of the REST API is derived from it.
    """
    account = {"username": SUPERUSER, "password": superuser_password}
    rest = f"{member.host}:{member.rest_port}"
    secret = rest_password(superuser_password)
    config = {
        "scope": group.name,
        "name": member.name,
        "etcd3": {"hosts": [f"127.0.0.1:{etcd_port}"], "username": ETCD_USER, "password": secret},
        "restapi": {
            "listen": rest,
            "connect_address": rest,
            "authentication": {"username": REST_USER, "password": secret},
        },
        "postgresql": {
            "listen": f"{member.host}:{member.port}",
            "connect_address": f"{member.host}:{member.port}",
            "data_dir": str(data),
            "bin_dir": str(engine.bindir),
            "pgpass": str(folder / "pgpass"),
            "authentication": {"superuser": account, "replication": account, "rewind": account},
            "basebackup": [{"checkpoint": "fast"}],
            "parameters": {"unix_socket_directories": ""},
        },
        "watchdog": {"mode": "off"},
    }
    return json.dumps(config, indent=1) + "\n"


def dynamic_configuration(engine: Engine, data: Path) -> dict[str, Any]:
    """The dynamic configuration of every group.

    Args:
        data: a folder on the volume of the data directories.
    """
    values = settings(data, engine, port=0, time_zone="")
    return {
        "ttl": 30,
        "loop_wait": 10,
        "retry_timeout": 10,
        "synchronous_mode": True,
        "failsafe_mode": True,
        # Citus makes logical replication slots when it moves a shard; Patroni would drop them.
        "ignore_slots": [{"type": "logical"}],
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": {
                name: int(values[name]) if values[name].isdigit() else values[name]
                for name in DYNAMIC_SETTINGS
                if name in values
            },
        },
    }
