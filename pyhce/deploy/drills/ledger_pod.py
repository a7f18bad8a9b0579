"""The ledger of a drill, which runs in a pod of the database's namespace and so sees what an application sees."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import suppress

from pydantic import ValidationError

from pyhce.citus.connection import Progress, no_progress
from pyhce.deploy.kubernetes_cluster import KubernetesCluster
from pyhce.deploy.programs import run_program
from pyhce.errors import HceError
from pyhce.verify.ledger import LaneCounts, LedgerLine, LedgerReport
from pyhce.verify.ledger.lines import Kind

logger = logging.getLogger(__name__)

_JOB = "citus-registrar"
_NAME = "citus-ledger"
_LABEL = "hce-citus/drill"
_GRACE = 300
_STOP = "import os, signal; os.kill(1, signal.SIGTERM)"


class LedgerPod:
    """A pod that runs `pyhce ledger`, observed through its log.

    Args:
        cluster, namespace: of the database.
        machine: the Kubernetes node to run on, which the drill must not break; "" for any. On a kind cluster its log is
            also read on the machine, so that it can be observed while the API server is away.
        kind: whether the machine is one of a kind cluster.
    """

    def __init__(self, cluster: KubernetesCluster, namespace: str, machine: str = "", *, kind: bool = False) -> None:
        self._cluster, self._namespace, self._machine, self._kind = cluster, namespace, machine, kind
        self._pod = ""
        self._read_at = 0.0
        self._seen: dict[str, float] = {}
        self.lines: list[LedgerLine] = []

    @property
    def counts(self) -> dict[str, LaneCounts]:
        """The latest counts of each lane."""
        return next((line.lanes for line in reversed(self.lines) if line.lanes), {})

    def counts_at(self, at: float, *, after: bool = False) -> dict[str, LaneCounts]:
        """The last counts before a time, in seconds since 1970, or the first ones after it."""
        lines = [line for line in self.lines if line.lanes]
        if after:
            return next((line.lanes for line in lines if line.at >= at), self.counts)
        return next((line.lanes for line in reversed(lines) if line.at <= at), {})

    def start(self, *, timeout: float = 120.0, progress: Progress = no_progress) -> None:
        """Start the pod and wait until every lane has an acknowledged write.

        A pod that a killed drill left behind is deleted first; it deletes its rows.

        Raises:
            HceError: nothing is installed, or the pod did not write in time.
        """
        self._delete_left_behind(progress)
        progress("starting the ledger in a pod")
        self._pod = self._cluster.create_job_pod(
            self._namespace, _JOB, _NAME, ["ledger"], labels={_LABEL: "ledger"}, node=self._machine, grace=_GRACE
        )
        deadline = time.monotonic() + timeout
        while not self.counts or any(lane.last is None for lane in self.counts.values()):
            self._refuse_ended_pod()
            if time.monotonic() > deadline:
                raise HceError(
                    f"the ledger in the pod {self._pod} did not write on every lane within {timeout:.0f} s: "
                    + (", ".join(n for n, lane in self.counts.items() if lane.last is None) or "it has not started"),
                    remedy=f"Find the cause: pyhce verify --on {self._cluster.context} -n {self._namespace}",
                )
            time.sleep(0.3)
            self.read()

    def _delete_left_behind(self, progress: Progress) -> None:
        left = self._cluster.pods(self._namespace, f"{_LABEL}=ledger")
        for pod in left:
            progress(f"deleting the pod {pod.name} of an earlier drill")
            self._cluster.delete_pod(self._namespace, pod.name)
        deadline = time.monotonic() + _GRACE
        while left and self._cluster.pods(self._namespace, f"{_LABEL}=ledger") and time.monotonic() < deadline:
            time.sleep(0.5)

    def _refuse_ended_pod(self) -> None:
        """Raise the error of a ledger that ended before it was told to."""
        (state,) = self._cluster.pods(self._namespace, f"hce-citus/run={self._pod}") or (None,)
        if state is None or state.phase in {"Succeeded", "Failed"}:
            last = self._cluster.last_log_lines(self._namespace, self._pod, 5) if state else ["it was deleted"]
            raise HceError(
                f"the ledger in the pod {self._pod} ended: {' | '.join(last)[:500]}",
                remedy="The release must run the images of this pyhce. Find the cause: "
                f"pyhce verify --on {self._cluster.context} -n {self._namespace}",
            )

    def read(self) -> list[LedgerLine]:
        """The new lines since the last call; none while the log cannot be read."""
        now = time.time()
        since = int(now - self._read_at) + 3 if self._read_at else 3600
        try:
            text = self._log(since)
        except HceError as error:
            logger.debug("the ledger's log cannot be read: %s", error.wrong)
            return []
        new = self._parsed(text)
        if new:
            self._read_at = min(now, max(line.at for line in new))
        self.lines += new
        return new

    def _log(self, seconds: int) -> Iterable[str]:
        try:
            return self._cluster.log_since(self._namespace, self._pod, seconds)
        except HceError:
            if not self._kind:
                raise
        file = f"/var/log/pods/{self._namespace}_{self._pod}_*/pyhce/0.log"
        lines = run_program("docker", "exec", self._machine, "sh", "-c", f"tail -n {seconds * 4} {file}").splitlines()
        return [line.split(" ", 3)[3] for line in lines if line.count(" ") >= 3]  # time, stream, tag, text

    def _parsed(self, lines: Iterable[str]) -> list[LedgerLine]:
        new = []
        for text in lines:
            if text in self._seen or not text.startswith("{"):
                continue
            try:
                line = LedgerLine.model_validate_json(text)
            except ValidationError:
                continue  # a part of a line, or an error; `_refuse_ended_pod` shows it
            self._seen[text] = line.at
            new.append(line)
        return sorted(new, key=lambda line: line.at)

    def stop(self, *, timeout: float = 420.0, progress: Progress = no_progress) -> LedgerReport:
        """Tell the ledger to stop, wait for its report, and delete the pod.

        Raises:
            HceError: it gave no report in time. The pod is kept then, with its log.
        """
        progress("reading every row that the ledger wrote")
        deadline = time.monotonic() + timeout
        told = 0.0
        while True:
            self.read()
            report = next((line.report for line in self.lines if line.kind is Kind.REPORT), None)
            if report is not None:
                self._cluster.delete_pod(self._namespace, self._pod)
                return report
            if time.monotonic() > deadline:
                raise HceError(
                    f"the ledger in the pod {self._pod} gave no report within {timeout:.0f} s",
                    remedy=f"Read its log: kubectl -n {self._namespace} logs {self._pod}",
                )
            reading = any(line.kind is Kind.READING for line in self.lines)
            if not reading and time.monotonic() - told > 10.0:
                self._tell_to_stop()
                told = time.monotonic()
            time.sleep(0.5)

    def _tell_to_stop(self) -> None:
        """Send SIGTERM to the ledger. Deleting the pod would take the report with it."""
        try:
            self._cluster.execute(self._namespace, self._pod, ["python", "-c", _STOP])
        except HceError as error:
            logger.info("the ledger could not be told to stop, trying again: %s", error.wrong)

    def abandon(self) -> None:
        """Delete the pod without its report; the ledger deletes its rows by itself.

        The next drill deletes a pod that cannot be deleted now.
        """
        if self._pod:
            with suppress(HceError):
                self._cluster.delete_pod(self._namespace, self._pod)
