#!/opt/patroni/bin/python
"""Start Patroni in a database pod: name the group, decide which member's data counts, then become Patroni.

A group is one node of Citus: its members are the pods of the same number in `citus-worker` and `citus-worker-b` (or of
the coordinator's StatefulSets). Patroni decides which member leads as long as its store knows the group. The store
knows nothing of the group at a first installation, when a running release gets standbys, and when a release is
installed over volumes that were kept. Patroni alone would then let whichever member comes first lead, even one with
old data. So the members compare their data before Patroni starts, in this order:

1. Every member labels its own pod with the name of the group, because Patroni finds members by this label.
2. If the store has the key `initialize` and a leader has run (`optime`), Patroni decides: go to 6.
3. Every member writes what its volume holds into the annotation `hce-citus/data` of its pod, and waits until every
   member of the group has done so.
4. The newest data wins (`newest`). If every volume is empty, the first member creates the database.
5. The winner writes the dynamic configuration, and goes to 6. The others wait until a leader holds the lock.
6. The process becomes Patroni.

A container that is killed between two steps begins again at 1. Two winners are impossible: all members compare the same
annotations, and what a member writes can only change from an empty volume to the first data, after it has won.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import urllib3
import yaml

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HA_FILE = Path("/etc/hce/patroni/ha.json")
"""The groups and Patroni's dynamic configuration; pyhce reads the same file."""
POD_FILE = Path("/etc/hce/patroni/pod.json")
"""What only this program needs: the kind of the store's objects, their labels, and how members verify each other."""
TLS = Path("/etc/hce/tls")
CONFIG = Path("/tmp/patroni.yml")  # noqa: S108 - an emptyDir of this pod alone
DATA_ANNOTATION = "hce-citus/data"
GROUP_LABEL = "hce-citus/group"
PAUSE = 1.0
"""Seconds between two looks at the store."""


def log(text: str) -> None:
    """Print a line to the pod's log."""
    print(f"hce-patroni: {text}", flush=True)


class Api:
    """The few requests to the Kubernetes API that are needed. Each is repeated until the API answers."""

    def __init__(self) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        host = f"[{host}]" if ":" in host else host
        self._url = f"https://{host}:{port}/api/v1/namespaces/{os.environ['PATRONI_KUBERNETES_NAMESPACE']}"
        self._http = urllib3.PoolManager(ca_certs=str(ACCOUNT / "ca.crt"), timeout=10.0, retries=False)

    def request(self, method: str, path: str, body: object = None) -> dict[str, Any] | None:
        """The object that the API returns; None if it does not exist (404) or exists already (409)."""
        headers = {"Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json"}
        said = ""
        while True:
            headers["Authorization"] = f"Bearer {(ACCOUNT / 'token').read_text()}"  # the token is renewed on disk
            try:
                answer = self._http.request(
                    method, f"{self._url}/{path}", headers=headers, body=None if body is None else json.dumps(body)
                )
                if answer.status < 300:
                    return dict(json.loads(answer.data))
                if answer.status in (404, 409):
                    return None
                problem = f"{answer.status} {answer.data[:300].decode(errors='replace')}"
            except urllib3.exceptions.HTTPError as error:
                problem = str(error)
            if problem != said:
                log(f"the Kubernetes API does not do {method} {path}, trying again: {problem}")
                said = problem
            time.sleep(PAUSE)


def newest(members: dict[str, dict[str, Any]], order: list[str]) -> str:
    """The member whose data counts.

    The highest timeline wins, because every promotion begins a new one. In one timeline the former leader has at least
    the WAL of its standbys. Members with an empty volume lose to any other; among equals the first in `order` wins.

    Args:
        members: what each member's volume holds: `timeline` (0 if the volume is empty), `leader` (whether it led
            last), `location` (WAL position as a number).
        order: the names of all members.
    """

    def key(name: str) -> tuple[int, bool, int, int]:
        data = members[name]
        return data["timeline"], data["leader"], data["location"], -order.index(name)

    return max(order, key=key)


def data_on_volume(pgdata: Path) -> dict[str, Any]:
    """What this member's volume holds, from pg_controldata; see `newest`."""
    if not (pgdata / "PG_VERSION").exists():
        return {"timeline": 0, "leader": False, "location": 0}
    output = subprocess.run(
        ["pg_controldata", str(pgdata)], check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
    ).stdout
    lines = dict(line.split(":", 1) for line in output.splitlines() if ":" in line)

    def location(name: str) -> int:
        high, _, low = lines[name].strip().partition("/")
        return (int(high, 16) << 32) + int(low, 16)

    return {
        "timeline": max(int(lines["Latest checkpoint's TimeLineID"]), int(lines["Min recovery ending loc's timeline"])),
        "leader": not (pgdata / "standby.signal").exists()
        and not (pgdata / "backup_label").exists()
        and "archive recovery" not in lines["Database cluster state"],
        "location": max(location("Latest checkpoint location"), location("Minimum recovery ending location")),
    }


class Member:
    """This pod as a member of its group."""

    def __init__(self) -> None:
        self.name = os.environ["PATRONI_NAME"]
        self.ha = json.loads(HA_FILE.read_text())
        self.pod = json.loads(POD_FILE.read_text())
        self.group = self._own_group()
        self.scope: str = self.group["name"]
        self.store: str = self.pod["store"]  # endpoints or configmaps
        self.labels: dict[str, str] = {**self.pod["labels"], GROUP_LABEL: self.scope}
        self.order = [member["name"] for member in self.group["members"]]
        self.own = next(member for member in self.group["members"] if member["name"] == self.name)
        self.pgdata = Path(os.environ["PGDATA"])
        self.api = Api()

    def _own_group(self) -> dict[str, Any]:
        """The group that this pod belongs to. The file may lack a new worker until the kubelet has renewed it."""
        while True:
            for group in self.ha["groups"]:
                if any(member["name"] == self.name for member in group["members"]):
                    return dict(group)
            log(f"{HA_FILE} does not name {self.name} yet, reading it again")
            time.sleep(PAUSE)
            self.ha = json.loads(HA_FILE.read_text())

    def annotations(self, name: str) -> dict[str, str]:
        """The annotations of an object of the store; {} if it does not exist."""
        found = self.api.request("GET", f"{self.store}/{name}")
        return (found or {}).get("metadata", {}).get("annotations") or {}

    def known(self) -> bool:
        """Whether the store knows the group, so that Patroni decides.

        The key `initialize` alone does not suffice: the first leader writes it before it takes the lock.
        """
        return "initialize" in self.annotations(f"{self.scope}-config") and "optime" in self._lock()

    def has_leader(self) -> bool:
        """Whether a member holds the leader's lock."""
        return "leader" in self._lock()

    def _lock(self) -> dict[str, str]:
        """The object of the leader's lock: `leader`, and `optime` once a leader has run."""
        return self.annotations(self.scope if self.store == "endpoints" else f"{self.scope}-leader")

    def annotate_pod(self, **metadata: object) -> None:
        """Change the metadata of this pod."""
        self.api.request("PATCH", f"pods/{self.name}", {"metadata": metadata})

    def prepare(self) -> None:
        """Steps 1 to 5."""
        self.annotate_pod(labels={GROUP_LABEL: self.scope})
        if self.pgdata.exists() and not (self.pgdata / "global" / "pg_control").exists() and any(self.pgdata.iterdir()):
            log(f"{self.pgdata} is what an interrupted copy left: deleting it")
            shutil.rmtree(self.pgdata)
        if self.known():
            return
        own = data_on_volume(self.pgdata)
        self.annotate_pod(annotations={DATA_ANNOTATION: json.dumps(own)})
        winner = self._wait_for_all()
        if winner is None:
            return
        if winner != self.name:
            log(f"waiting for {winner}, which has the newest data, to lead")
            while not self.has_leader():
                time.sleep(PAUSE)
            return
        log(
            f"{self.name} has the newest data of its group and leads first"
            if own["timeline"]
            else "creating the database"
        )
        self._write_dynamic_configuration()
        if not own["timeline"]:
            self._create_database()

    def _wait_for_all(self) -> str | None:
        """The winner, once every member has said what its volume holds; None if the store knows the group by then."""
        said: set[str] = set()
        while True:
            if self.known():
                return None
            pods = self.api.request("GET", f"pods?labelSelector={GROUP_LABEL}%3D{self.scope}") or {"items": []}
            found = {
                pod["metadata"]["name"]: json.loads(pod["metadata"]["annotations"][DATA_ANNOTATION])
                for pod in pods["items"]
                if DATA_ANNOTATION in (pod["metadata"].get("annotations") or {})
                and not pod["metadata"].get("deletionTimestamp")
            }
            missing = set(self.order) - found.keys()
            if not missing:
                return newest(found, self.order)
            if missing != said:
                log(
                    f"waiting for {', '.join(sorted(missing))} to say what is on its volume. If a volume is lost: "
                    "delete its claim and its pod, and the member starts with an empty one"
                )
                said = missing
            time.sleep(PAUSE)

    def _write_dynamic_configuration(self) -> None:
        name = f"{self.scope}-config"
        metadata = {"name": name, "labels": self.labels, "annotations": {"config": json.dumps(self.ha["dynamic"])}}
        if self.api.request("POST", self.store, {"metadata": metadata}) is None:  # it exists
            self.api.request("PATCH", f"{self.store}/{name}", {"metadata": metadata})

    def _create_database(self) -> None:
        settings = self.ha["dynamic"]["postgresql"]["parameters"]
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        subprocess.run(["hce-entrypoint.sh", "create", *arguments], check=True)

    def configuration(self) -> dict[str, Any]:
        """Patroni's configuration of this member. Passwords are in the environment."""
        tls = self.ha["tls"]
        host = self.own["host"]
        postgres = shutil.which("postgres")
        assert postgres is not None  # noqa: S101 - the image has it
        verified = {"sslmode": self.pod["sslmode"], **({"sslrootcert": str(TLS / "ca.crt")} if tls else {})}
        return {
            "scope": self.scope,
            "name": self.name,
            "restapi": {
                "listen": "*:8008",
                "connect_address": f"{host}:8008",
                **({"certfile": str(TLS / "tls.crt"), "keyfile": str(TLS / "tls.key")} if tls else {}),
            },
            "ctl": {"cacert": str(TLS / "ca.crt")} if tls else {},
            "kubernetes": {
                "use_endpoints": self.store == "endpoints",
                "labels": self.pod["labels"],
                "scope_label": GROUP_LABEL,
                "ports": [{"name": "postgres", "port": 5432}],
            },
            "postgresql": {
                "listen": "*:5432",
                "connect_address": f"{host}:5432",
                "data_dir": str(self.pgdata),
                "bin_dir": str(Path(os.path.realpath(postgres)).parent),
                "pgpass": "/tmp/pgpass",  # noqa: S108 - as above
                "use_unix_socket": True,
                "use_unix_socket_repl": True,
                "parameters": {"unix_socket_directories": "/var/run/postgresql", **_settings(sys.argv[1:])},
                "authentication": {
                    user: {"username": "postgres", **verified} for user in ("superuser", "replication", "rewind")
                },
                "basebackup": [{"checkpoint": "fast"}],
                "remove_data_directory_on_rewind_failure": True,
                "remove_data_directory_on_diverged_timelines": True,
            },
        }

    def become_patroni(self) -> None:
        """Write the configuration and replace this process by Patroni."""
        CONFIG.write_text(yaml.safe_dump(self.configuration()))
        password = os.environ["POSTGRES_PASSWORD"]
        for user in ("SUPERUSER", "REPLICATION", "REWIND"):
            os.environ[f"PATRONI_{user}_PASSWORD"] = password
        os.environ["PATRONI_RESTAPI_USERNAME"] = "patroni"
        os.environ["PATRONI_RESTAPI_PASSWORD"] = hmac.new(
            password.encode(), b"patroni-rest", hashlib.sha256
        ).hexdigest()
        patroni = "/opt/patroni/bin/patroni"
        os.execv(patroni, [patroni, str(CONFIG)])  # noqa: S606 - a fixed path


def _settings(arguments: list[str]) -> dict[str, str]:
    """PostgreSQL's settings of `-c name=value` arguments."""
    pairs = (arguments[at + 1].partition("=") for at, word in enumerate(arguments) if word == "-c")
    return {name: value for name, _, value in pairs}


if __name__ == "__main__":
    member = Member()
    member.prepare()
    member.become_patroni()
