"""Functions for a database at any DSN, and `up` and `down` for a database on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeVar

from pyhce import deploy, local, sample
from pyhce.api.standbys import find_standbys
from pyhce.citus import connection
from pyhce.citus.connection import DatabaseConnection, Progress, no_progress
from pyhce.citus.failover import RECONNECT_WAIT, call_through_failover, refuse_standby
from pyhce.citus.migrate import migrated_connection
from pyhce.citus.nodes import Node, Secondary
from pyhce.citus.online import LOCK_WAIT
from pyhce.citus.register import RegistrationReport
from pyhce.citus.register import register as _register
from pyhce.counted import counted
from pyhce.errors import HceError, UsageError, printable
from pyhce.local import DeleteReport, LocalCluster, StopReport
from pyhce.records.erasing.erase import erase as _erase
from pyhce.records.erasing.receipt import Erasure
from pyhce.records.erasing.retention import Retention
from pyhce.records.erasing.retention import retention as _retention
from pyhce.records.exporting.export import ExportReport
from pyhce.records.exporting.export import export as _export
from pyhce.records.exporting.part_writer import ExportProgress
from pyhce.records.identity import Choice, RuleSet, choose_rules
from pyhce.records.identity.check import IdentifierCheck
from pyhce.records.loading.load import DEFAULT_JOBS
from pyhce.records.loading.load import load as _load
from pyhce.records.loading.report import LoadReport
from pyhce.records.patient import CorrectionReport, PatientRecord
from pyhce.records.patient import merge as _merge
from pyhce.records.patient import patient as _patient
from pyhce.records.patient import rekey as _rekey
from pyhce.records.patient import split as _split
from pyhce.records.reading.finished_export import ExportCheck
from pyhce.records.reading.finished_export import check_export as _check_export
from pyhce.records.reading.limits import DEFAULT_MAX_RESOURCE_SIZE, limit_resource_size
from pyhce.records.repair import AskWhichPatient, RepairReport
from pyhce.records.repair import repair_identities as _repair
from pyhce.records.upgrading.upgrade import upgrade
from pyhce.schema import generate as _generate
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Frozen
from pyhce.settings import (
    DATABASE,
    DEFAULT_SHARD_COUNT,
    DEFAULT_TIME_ZONE,
    NODE_PORT,
    SUPERUSER,
)
from pyhce.verify import StatusReport, VerificationReport, checks_document
from pyhce.verify import status as _status
from pyhce.verify import verify as _verify

Result = TypeVar("Result")


class UpReport(Frozen):
    """The database that `up` started.

    Args:
        engine: PostgreSQL's version, whether Citus is used, and what that means.
        workers: the number of workers; 0 without Citus.
        created: whether the data folder is new.
        already_running: whether the database was running before.
        recovered: what was found broken and repaired, one sentence each.
        load, patient: the load of the sample and one of its patients, if `with_sample`.
    """

    host: str
    port: int
    database: str
    folder: str
    engine: str
    workers: int
    created: bool
    already_running: bool
    recovered: tuple[str, ...]
    registration: RegistrationReport
    verification: VerificationReport
    load: LoadReport | None = None
    patient: PatientRecord | None = None

    @property
    def exit_code(self) -> int:
        """0 if no check failed, else 1."""
        return self.verification.exit_code


def resolve_dsn(dsn: str | None = None, folder: Path | None = None) -> str:
    """The DSN to use: `dsn`, else PYHCE_DSN, else libpq's PG* variables, else the database of `pyhce up`.

    Args:
        folder: the data folder of that database; the default folder if None.

    Raises:
        UsageError: the DSN cannot be read.
    """
    chosen = dsn or os.environ.get("PYHCE_DSN")
    if chosen:
        return connection.complete_dsn(chosen)
    if "PGHOST" in os.environ or "PGSERVICE" in os.environ or "PGPORT" in os.environ:
        return connection.complete_dsn("")
    state = local.status(folder or local.default_folder())
    if state.cluster is not None:
        return connection.complete_dsn(local.dsn(state.cluster))
    return connection.complete_dsn(f"host=localhost port={NODE_PORT} user={SUPERUSER} dbname={DATABASE}")


def up(
    *,
    folder: Path | None = None,
    pg_config: Path | None = None,
    citus: bool | None = None,
    workers: int | None = None,
    standbys: int | None = None,
    port: int | None = None,
    shard_count: int = DEFAULT_SHARD_COUNT,
    time_zone: str = DEFAULT_TIME_ZONE,
    with_sample: bool = False,
    progress: Progress = no_progress,
) -> UpReport:
    """Start a database on this machine, bring its schema up to date and verify it. Safe to repeat.

    Args:
        folder: the data folder; `local.default_folder()` if None.
        pg_config: the path of the pg_config of the PostgreSQL to use; searched for if None.
        citus: require Citus (True), do not use it (False), or use it if it is installed (None).
        workers: the number of workers; ignored without Citus. If None: as many as there are, or two.
        standbys: the number of standbys of each node, run by Patroni; needs Citus. None keeps what the folder has.
        port: the port of the coordinator; if None the present one, or 30007.
        shard_count: set when the tables are created.
        time_zone: for dates that carry none; cannot be changed later.
        with_sample: load the synthetic sample patients and report one of them.
        progress: called with a line on what is being done.

    Raises:
        HceError: the database could not be started or migrated; the error says why and what to do.
    """
    data_folder = folder or local.default_folder()
    progress("looking for PostgreSQL")
    engine = local.engine_for(data_folder, pg_config, citus=citus)
    cluster = local.start(
        data_folder,
        engine=engine,
        workers=workers,
        standbys=standbys,
        port=port,
        time_zone=time_zone,
        on_progress=progress,
    )
    dsn = local.dsn(cluster)
    registration = _register_and_upgrade(
        dsn,
        workers=[Node(host=node.host, port=node.port) for node in cluster.workers],
        coordinator=Node(host=cluster.coordinator.host, port=cluster.coordinator.port) if cluster.workers else None,
        passwords=local.passwords(data_folder),
        shard_count=shard_count,
        time_zone=time_zone,
        rules=choose_rules(os.environ.get("PYHCE_IDENTITY_RULES")),
        progress=progress,
    )
    loaded = sample_patient = None
    if with_sample:
        loaded, sample_patient = load_sample(dsn, progress)
    progress("verifying")
    report = _verify(dsn, schema=SCHEMA, standbys=find_standbys(dsn))
    return UpReport(
        host=cluster.coordinator.host,
        port=cluster.coordinator.port,
        database=DATABASE,
        folder=printable(data_folder),
        engine=describe_engine(cluster),
        workers=len(cluster.workers),
        created=cluster.created,
        already_running=cluster.already_running,
        recovered=cluster.recovered,
        registration=registration,
        verification=report,
        load=loaded,
        patient=sample_patient,
    )


def load_sample(dsn: str, progress: Progress = no_progress) -> tuple[LoadReport, PatientRecord]:
    """Load the synthetic sample patients. Returns the load's report and the record of one patient."""
    progress("loading the sample patients")
    return load(sample.files(), dsn=dsn), patient(sample.SHOWN_PATIENT, dsn=dsn)


def describe_engine(cluster: LocalCluster) -> str:
    """The PostgreSQL that a local cluster runs on, and whether its tables are distributed."""
    engine = cluster.engine
    if engine.kind == "citus":
        return (
            f"PostgreSQL {engine.version} with Citus {engine.citus_version} ({engine.source}): one coordinator and "
            f"{counted(len(cluster.workers), 'worker')}, tables distributed by patient as in production"
        )
    return (
        f"PostgreSQL {engine.version} ({engine.source}): one node with the same tables, roles and SQL. "
        "Without Citus, no table is distributed"
    )


def down(folder: Path | None = None) -> StopReport:
    """Stop the database on this machine. Its data stays."""
    return local.stop(folder or local.default_folder())


def delete(folder: Path | None = None) -> DeleteReport:
    """Stop the database on this machine and delete its data folder."""
    return local.delete(folder or local.default_folder())


def environment(folder: Path | None = None, role: str = SUPERUSER) -> dict[str, str]:
    """The PG* variables that connect any libpq program to the database of `up`.

    The password is not among them: PGPASSFILE names the file that contains it.

    Raises:
        HceError: there is no database in the folder.
    """
    data_folder = folder or local.default_folder()
    cluster = local.status(data_folder).cluster
    if cluster is None:
        raise HceError(f"there is no database in {data_folder}", remedy="Create one: pyhce up")
    return local.environment(cluster, role)


def register(
    dsn: str | None = None,
    *,
    workers: Sequence[str] = (),
    coordinator: str | None = None,
    secondaries: Sequence[str] = (),
    passwords: Mapping[str, str] | None = None,
    shard_count: int = DEFAULT_SHARD_COUNT,
    time_zone: str = DEFAULT_TIME_ZONE,
    timeout: float = 120.0,
    lock_wait: float = LOCK_WAIT,
    identity_rules: Choice | None = None,
    roll: bool = False,
    progress: Progress = no_progress,
) -> RegistrationReport:
    """Bring a cluster to the declared state: nodes, migrations, distribution, grants, stored rows. Safe to repeat.

    See `pyhce.citus.register` and `pyhce.records.upgrading`.

    Args:
        dsn: the coordinator, as a superuser; see `resolve_dsn`.
        workers: the address of each worker, HOST or HOST:PORT.
        coordinator: the address at which workers reach the coordinator.
        secondaries: where the standbys of a node answer, PRIMARY=HOST or PRIMARY=HOST:PORT. If workers are given, all
            other secondary nodes are removed.
        passwords: new passwords by role.
        shard_count: set when the tables are distributed.
        time_zone: for dates that carry none; cannot be changed later.
        timeout: seconds to wait for the nodes.
        lock_wait: seconds that a migration retries to lock a table that another session uses.
        identity_rules: the rules that loads use, as for `load`; a migration may compute documents again.
        roll: first replace the outdated pods of groups with standbys; see `pyhce.deploy.rolling`. Only in a pod of the
            chart.

    Raises:
        UsageError: `roll` in another place than a pod of the chart.
        HceError: a node does not answer, a migration failed, or the declared state cannot be reached.
    """
    resolved = resolve_dsn(dsn)
    pods = _roll_pods(resolved, timeout, progress) if roll else []
    report = _register_and_upgrade(
        resolved,
        workers=[Node.parse(text) for text in workers],
        coordinator=Node.parse(coordinator) if coordinator else None,
        secondaries=[Secondary.parse(text) for text in secondaries],
        passwords=passwords,
        shard_count=shard_count,
        time_zone=time_zone,
        timeout=timeout,
        lock_wait=lock_wait,
        rules=choose_rules(identity_rules),
        progress=progress,
    )
    return report.model_copy(update={"pods": tuple(pods)})


def _roll_pods(dsn: str, timeout: float, progress: Progress) -> list[str]:
    """Replace outdated pods in the right order; a sentence for each change."""
    found, namespace = find_standbys(dsn), deploy.own_namespace()
    if found is None or namespace is None:
        raise UsageError(
            "--roll works only in a pod of the chart with ha.enabled",
            remedy="Leave it out. On Kubernetes the registrar's Job gives it: pyhce upgrade",
        )
    cluster = deploy.KubernetesCluster(inside=True)
    try:
        rolling = deploy.RollingUpdate(cluster, namespace, found.ha, found.password, timeout=timeout, progress=progress)
        return rolling.run()
    finally:
        cluster.close()


def _register_and_upgrade(dsn: str, *, rules: RuleSet, progress: Progress, **options: Any) -> RegistrationReport:
    """Register nodes, migrate and distribute tables; then do the data steps, which need the distributed tables."""
    report = _register(dsn, schema=SCHEMA, progress=progress, **options)
    with connection.connect(dsn) as conn:
        done = upgrade(conn, schema=SCHEMA, rules=rules, progress=progress)
    seconds = round(report.seconds + sum(step.seconds for step in done), 2)
    return report.model_copy(update={"data_steps": done, "seconds": seconds})


def verify(
    dsn: str | None = None,
    *,
    groups: Sequence[str] | None = None,
    identity_rules: Choice | None = None,
    wait: float = 0.0,
    progress: Progress = no_progress,
) -> VerificationReport:
    """Check nodes, schema and data against the declaration. Changes nothing.

    Args:
        groups: run only these groups of checks; None runs all.
        identity_rules: the rules that loads use, as for `load`.
        wait: seconds to repeat the checks until none fails.

    Raises:
        ConnectionFailed: the coordinator does not answer.
        UsageError: a group does not exist.
    """
    return _verify(
        resolve_dsn(dsn),
        schema=SCHEMA,
        groups=groups,
        extra_checks=[IdentifierCheck(choose_rules(identity_rules))],
        standbys=find_standbys(resolve_dsn(dsn)),
        wait=wait,
        progress=progress,
    )


def status(dsn: str | None = None) -> StatusReport:
    """A quick overview of nodes, versions, sizes and counts.

    Raises:
        ConnectionFailed: the coordinator does not answer, or is a standby.
    """
    with connection.explained_errors():
        return _status(resolve_dsn(dsn), schema=SCHEMA, standbys=find_standbys(resolve_dsn(dsn)))


def load(
    paths: Sequence[Path | str],
    *,
    dsn: str | None = None,
    source: str = "",
    identity_rules: Choice | None = None,
    reject_file: Path = Path("rejected.ndjson"),
    jobs: int = DEFAULT_JOBS,
    again: bool = False,
    strict: bool = False,
    bases: Sequence[str] = (),
    open_documents: bool = False,
    repair_ids: bool = False,
    max_resource_size: int = DEFAULT_MAX_RESOURCE_SIZE,
    reconnect_wait: float = RECONNECT_WAIT,
    progress: Callable[[LoadReport], None] | None = None,
    on_wait: Progress = no_progress,
) -> LoadReport:
    """Load FHIR files and folders; see `pyhce.records.loading.load`.

    Args:
        paths: files, folders and patterns; "-" is standard input.
        source: the source system; FHIR ids are unique within one source.
        identity_rules: names of packs and files of rules, such as "colombia,own.json"; None reads
            PYHCE_IDENTITY_RULES, else all packs are used.
        reject_file: where rejected input goes, with the reason.
        jobs: the number of connections that write at once.
        again: also read files that an earlier load finished.
        strict: reject resources that do not conform to FHIR R4's definitions.
        bases: the base URLs of the source.
        open_documents: also store the entries of documents and messages as separate resources.
        repair_ids: if FHIR does not allow the id of a resource, store the resource under an id derived from it.
        max_resource_size: in MB, 16 to 240; larger resources are rejected. docs/loading.md says how much memory a
            higher limit needs.
        reconnect_wait: after a failover, the seconds to wait for a node before the load ends; 0 ends it at once.
        progress: called with the report so far.
        on_wait: called with one line of text before a wait for a node.

    Raises:
        ConnectionFailed: the coordinator does not answer or is a standby, or a lost node did not come back in time. The
            same load continues where it ended.
        UsageError: a path is empty, `max_resource_size` is out of range, or an argument is refused by
            `pyhce.records.loading.load`.
    """
    if "" in paths:  # Path("") is the current folder
        raise UsageError("a path is empty", remedy="Give files, folders or patterns. The current folder is '.'.")
    files = [Path(path) for path in paths]
    rules = choose_rules(identity_rules)
    with limit_resource_size(max_resource_size), _migrated(dsn) as conn, ExitStack() as stack:
        refuse_standby(conn)
        writers = [stack.enter_context(connection.connect_as_writer(resolve_dsn(dsn))) for _ in range(jobs)]
        return _load(
            conn,
            files,
            schema=SCHEMA,
            writers=writers,
            dsn=resolve_dsn(dsn),
            reconnect_wait=reconnect_wait,
            fuente=source,
            rules=rules,
            reject_file=reject_file,
            again=again,
            strict=strict,
            bases=bases,
            open_documents=open_documents,
            repair_ids=repair_ids,
            progress=progress,
            on_wait=on_wait,
        )


def export(
    to: Path | str,
    *,
    dsn: str | None = None,
    source: str | None = None,
    types: Sequence[str] = (),
    document: str | None = None,
    since: str | None = None,
    history: bool = False,
    jobs: int | None = None,
    progress: Callable[[ExportProgress], None] | None = None,
) -> ExportReport:
    """Write every resource as NDJSON in the format of FHIR Bulk Data; see `pyhce.records.exporting.export`.

    Args:
        to: a new or empty folder, or that of an interrupted export.
        source, types, document: export only this source system, these FHIR types, this patient.
        since: export what changed or was deleted since this FHIR date or instant.
        history: also export former versions and deletions.
        jobs: the number of connections that read at once; None for the number of processors, at most 4.
        progress: called with the progress so far.
    """
    with _migrated(dsn) as conn:
        return _export(
            conn,
            Path(to),
            schema=SCHEMA,
            fuente=source,
            types=types,
            document=document,
            since=since,
            history=history,
            jobs=jobs,
            progress=progress,
        )


def check_export(folder: Path | str) -> ExportCheck:
    """Compare the files of an export with its manifest. Needs no database."""
    return _check_export(Path(folder))


def patient(document: str, *, dsn: str | None = None) -> PatientRecord:
    """One patient's record.

    Raises:
        HceError: there is no record under the document. The error does not repeat it.
    """
    return _read(dsn, lambda conn: _patient(conn, document, schema=SCHEMA))


def rekey(
    old: str, new: str, *, dsn: str | None = None, identity_rules: Choice | None = None, dry_run: bool = False
) -> CorrectionReport:
    """Give a record another document. Later loads under the old document go to the new one.

    Args:
        identity_rules: the rules that loads use, as for `load`.
        dry_run: report what would be done and change nothing.
    """
    rules = choose_rules(identity_rules)
    with _migrated(dsn) as conn:
        return _rekey(conn, old, new, schema=SCHEMA, rules=rules, dry_run=dry_run)


def merge(
    source: str, into: str, *, dsn: str | None = None, identity_rules: Choice | None = None, dry_run: bool = False
) -> CorrectionReport:
    """Merge two records of one person under the document `into`; see `pyhce.records.patient.merge`.

    Args:
        source, into: a document, or a Patient as SOURCE/Patient/ID.
        identity_rules: the rules that loads use, as for `load`.
        dry_run: report what would be done and change nothing.
    """
    rules = choose_rules(identity_rules)
    with _migrated(dsn) as conn:
        return _merge(conn, source, into, schema=SCHEMA, rules=rules, dry_run=dry_run)


def split(
    document: str,
    *,
    patients: Sequence[str],
    to: str,
    dsn: str | None = None,
    identity_rules: Choice | None = None,
    dry_run: bool = False,
) -> CorrectionReport:
    """Undo a wrong merge: move Patients (SOURCE/ID) out of a record into a new one under the document `to`.

    Args:
        identity_rules: the rules that loads use, as for `load`.
        dry_run: report what would be done and change nothing.
    """
    rules = choose_rules(identity_rules)
    with _migrated(dsn) as conn:
        return _split(conn, document, to, patients=patients, schema=SCHEMA, rules=rules, dry_run=dry_run)


def repair_identities(
    *,
    dsn: str | None = None,
    keep: Sequence[str] = (),
    newest: bool = False,
    dry_run: bool = False,
    ask: AskWhichPatient | None = None,
    progress: Progress = no_progress,
) -> RepairReport:
    """Merge the copies of resources that are stored more than once; see `pyhce.records.repair`.

    Args:
        keep: Patients (SOURCE/Patient/ID) whose copies are right, if two patients have copies.
        newest: keep the newest copy, even between two patients.
        dry_run: report what would be done and change nothing.
        ask: called for each choice between patients that is left; returns an index, or None to leave the copies.
    """
    with _migrated(dsn) as conn:
        return _repair(conn, schema=SCHEMA, keep=keep, newest=newest, dry_run=dry_run, ask=ask, progress=progress)


def erase(
    document: str,
    *,
    reason: str,
    dsn: str | None = None,
    receipt: Path | str | None = None,
    dry_run: bool = False,
    retention_years: int | None = None,
    identity_rules: Choice | None = None,
    progress: Progress = no_progress,
) -> Erasure:
    """Remove a patient permanently, with a receipt; see `pyhce.records.erasing.erase`.

    Args:
        reason: for the receipt.
        receipt: a new file for the receipt.
        dry_run: report what would be erased, with the same hashes, and change nothing.
        retention_years: years after the last care for which a record must be kept; None for the default, 15.
        identity_rules: the rules that loads use, as for `load`.
    """
    rules = choose_rules(identity_rules)
    with _migrated(dsn) as conn:
        return _erase(
            conn,
            document,
            schema=SCHEMA,
            reason=reason,
            receipt=Path(receipt) if receipt else None,
            dry_run=dry_run,
            retention_years=retention_years,
            rules=rules,
            progress=progress,
        )


def retention(document: str, *, dsn: str | None = None, years: int | None = None) -> Retention:
    """The date of the last care in a record and how long it must be kept; see `pyhce.records.erasing.retention`."""
    return _read(dsn, lambda conn: _retention(conn, document, schema=SCHEMA, years=years))


def generate_sql(folder: Path) -> tuple[Path, ...]:
    """Write the init scripts of the database image. Returns their paths."""
    return _generate.sql(SCHEMA, folder)


def generate_docs(folder: Path) -> tuple[Path, ...]:
    """Write the data dictionary and the list of checks. Returns their paths."""
    written = _generate.docs(SCHEMA, folder)
    checks = folder / "checks.md"
    checks.write_text(checks_document((IdentifierCheck(), *deploy.CHECKS)), encoding="utf-8")
    return (*written, checks)


def _read(dsn: str | None, work: Callable[[DatabaseConnection], Result]) -> Result:
    """Do work that only reads; again, on a new connection, if a node was lost meanwhile."""
    connected = False

    def call() -> Result:
        nonlocal connected
        with _migrated(dsn) as conn:
            connected = True
            return work(conn)

    return call_through_failover(call, before_repeat=lambda *_: None, may_repeat=lambda: connected)


def _migrated(dsn: str | None) -> AbstractContextManager[DatabaseConnection]:
    return migrated_connection(resolve_dsn(dsn), SCHEMA)
