"""The store of Patroni's groups: an etcd of one member with its data in the data folder."""

from __future__ import annotations

import base64
import json
import shutil
import time
from pathlib import Path
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from pyhce.errors import HceError
from pyhce.local import programs
from pyhce.local.account import Account

USER = "root"
START_TIMEOUT = 60.0
_OK = 200


def find_etcd() -> str:
    """The path of the program etcd.

    Raises:
        HceError: it is not on PATH.
    """
    found = shutil.which("etcd")
    if found is None:
        raise HceError(
            "there is no etcd on PATH, and standbys need it: Patroni keeps in it which member leads",
            remedy="Install it (Debian and Ubuntu: apt install etcd-server; macOS: brew install etcd), or run "
            "`pyhce up` without --standbys.",
        )
    return found


def start(folder: Path, program: str, account: Account, *, port: int, peer_port: int) -> None:
    """Start etcd in its folder."""
    programs.make_program_folder(folder, account)
    peers = f"http://127.0.0.1:{peer_port}"
    clients = f"http://127.0.0.1:{port}"
    programs.start(
        folder,
        [
            program, "--name", "pyhce", "--data-dir", str(folder / "data"),
            "--listen-client-urls", clients, "--advertise-client-urls", clients,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"pyhce={peers}",
            "--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1h",
        ],
        account,
    )  # fmt: skip


class Etcd:
    """A client of etcd's JSON gateway.

    See https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/.

    Args:
        folder: etcd's folder, for the log that an error quotes.
        port: where it listens.
        password: of its user root.
    """

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self._folder, self._url, self._password = folder, f"http://127.0.0.1:{port}/v3", password
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(5.0))
        self._token = ""

    def wait(self) -> None:
        """Wait until etcd answers, and see to it that it asks for the password.

        Raises:
            HceError: it does not answer in time; the text has the last lines of its log.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self._log_in()
                return
            except HTTPError:
                if time.monotonic() > deadline or (programs.pid_of(self._folder) is None):
                    raise HceError(
                        f"etcd did not start:\n{programs.log_tail(self._folder)}",
                        remedy=f"Fix what its log reports ({self._folder / programs.LOG}) and run the same command "
                        "again.",
                    ) from None
                time.sleep(0.1)

    def _log_in(self) -> None:
        user = {"name": USER, "password": self._password}
        status, answer = self._ask("auth/authenticate", user)
        if status != _OK and "authentication is not enabled" in answer.get("error", ""):
            for path, body in (
                ("auth/user/add", user),
                ("auth/user/changepw", user),  # an interrupted start may have added it with another password
                ("auth/role/add", {"name": USER}),
                ("auth/user/grant", {"user": USER, "role": USER}),
                ("auth/enable", {}),
            ):
                self._ask(path, body)
            status, answer = self._ask("auth/authenticate", user)
        if status != _OK:
            if "error" in answer and "password" not in answer["error"]:
                raise HTTPError(answer["error"])  # it is starting
            raise HceError(
                f"etcd refused the password of {USER}: {answer.get('error', status)}",
                remedy="Another etcd listens on this port. Stop it, or give another --folder.",
            )
        self._token = answer["token"]

    def get(self, key: str) -> str | None:
        """The value of a key, None if it does not exist."""
        found = self._done("kv/range", {"key": _encoded(key)}).get("kvs")
        return base64.b64decode(found[0].get("value", "")).decode() if found else None

    def put_if_absent(self, key: str, value: str) -> None:
        """Set a key that does not exist."""
        encoded = _encoded(key)
        self._done(
            "kv/txn",
            {
                "compare": [{"key": encoded, "target": "CREATE", "create_revision": "0"}],
                "success": [{"request_put": {"key": encoded, "value": _encoded(value)}}],
            },
        )

    def delete(self, key: str) -> None:
        """Delete a key, if it exists."""
        self._done("kv/deleterange", {"key": _encoded(key)})

    def _done(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, answer = self._ask(path, body)
        if status != _OK:
            raise HceError(
                f"etcd refused {path}: {answer.get('error', status)}",
                remedy=f"Read its log: {self._folder / programs.LOG}",
            )
        return answer

    def _ask(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": self._token} if self._token else {}
        response = self._pool.request("POST", f"{self._url}/{path}", body=json.dumps(body), headers=headers)
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = {"error": response.data.decode("utf-8", "replace")[:200]}
        return response.status, answer


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
