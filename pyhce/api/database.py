"""The verbs on a database, wherever it is, and the one that starts it on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from pyhce import deploy, local, sample
from pyhce.citus import connection
from pyhce.citus.connection import DatabaseConnection, Progress, no_progress
from pyhce.citus.migrate import migrated_connection
from pyhce.citus.nodes import Node
from pyhce.citus.online import LOCK_WAIT
from pyhce.citus.register import RegistrationReport
from pyhce.citus.register import register as _register
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
    DEFAULT_WORKERS,
    NODE_PORT,
    SUPERUSER,
)
from pyhce.verify import StatusReport, VerificationReport, checks_document
from pyhce.verify import status as _status
from pyhce.verify import verify as _verify


class UpReport(Frozen):
    """What `up` left running.

    Args:
        engine: which PostgreSQL, and what that means.
        created: whether the data folder is new.
        already_running: whether it ran before.
        recovered: what was found broken and mended.
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
        """As the verification's."""
        return self.verification.exit_code


def resolve_dsn(dsn: str | None = None, folder: Path | None = None) -> str:
    """The DSN to use: the one given, `PYHCE_DSN`, libpq's own PG* variables, else the database of `pyhce up`.

    Raises:
        UsageError: the DSN cannot be read.
    """
    given = dsn or os.environ.get("PYHCE_DSN")
    if given:
        return connection.complete_dsn(given)
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
    workers: int = DEFAULT_WORKERS,
    port: int = NODE_PORT,
    shard_count: int = DEFAULT_SHARD_COUNT,
    time_zone: str = DEFAULT_TIME_ZONE,
    with_sample: bool = False,
    progress: Progress = no_progress,
) -> UpReport:
    """Start the database on this machine, bring its schema up to date, verify it; safe to repeat.

    Args:
        folder: the data folder; `local.default_folder()` if not given.
        pg_config: of the PostgreSQL to use; found by itself if not given.
        citus: whether Citus must be there (True), must not be used (False), or is used where it is (None).
        workers: processes beside the coordinator, where there is Citus.
        with_sample: load the synthetic patients that ship, and show one.

    Raises:
        HceError: what is wrong and what to do about it.
    """
    place = folder or local.default_folder()
    progress("looking for PostgreSQL")
    engine = local.engine_for(place, pg_config, citus=citus)
    cluster = local.start(place, engine=engine, workers=workers, port=port, time_zone=time_zone, on_progress=progress)
    dsn = local.dsn(cluster)
    registration = _register_and_upgrade(
        dsn,
        workers=[Node(host=node.host, port=node.port) for node in cluster.workers],
        coordinator=Node(host=cluster.coordinator.host, port=cluster.coordinator.port) if cluster.workers else None,
        passwords=local.passwords(place),
        shard_count=shard_count,
        time_zone=time_zone,
        rules=choose_rules(os.environ.get("PYHCE_IDENTITY_RULES")),
        progress=progress,
    )
    loaded = shown = None
    if with_sample:
        loaded, shown = load_sample(dsn, progress)
    progress("verifying")
    report = _verify(dsn, schema=SCHEMA)
    return UpReport(
        host=cluster.coordinator.host,
        port=cluster.coordinator.port,
        database=DATABASE,
        folder=printable(place),
        engine=describe_engine(cluster),
        workers=len(cluster.workers),
        created=cluster.created,
        already_running=cluster.already_running,
        recovered=cluster.recovered,
        registration=registration,
        verification=report,
        load=loaded,
        patient=shown,
    )


def load_sample(dsn: str, progress: Progress = no_progress) -> tuple[LoadReport, PatientRecord]:
    """Load the synthetic patients that ship; what came of it, and the record of one."""
    progress("loading the sample patients")
    return load(sample.files(), dsn=dsn), patient(sample.SHOWN_PATIENT, dsn=dsn)


def describe_engine(cluster: LocalCluster) -> str:
    """Which engine a local cluster runs on, and what that means for who uses it."""
    engine = cluster.engine
    if engine.kind == "citus":
        return (
            f"PostgreSQL {engine.version} with Citus {engine.citus_version} ({engine.source}): a coordinator and "
            f"{len(cluster.workers)} workers, tables distributed by patient, as in production"
        )
    return (
        f"PostgreSQL {engine.version} ({engine.source}): one node with the same tables, roles and SQL; "
        "nothing is distributed, as there is no Citus"
    )


def down(folder: Path | None = None) -> StopReport:
    """Stop the database on this machine; its data stays."""
    return local.stop(folder or local.default_folder())


def delete(folder: Path | None = None) -> DeleteReport:
    """Stop the database on this machine and remove its data folder."""
    return local.delete(folder or local.default_folder())


def environment(folder: Path | None = None, role: str = SUPERUSER) -> dict[str, str]:
    """The PG* variables that lead any libpq program to the database of `up`; the password stays in its file.

    Raises:
        HceError: there is none.
    """
    place = folder or local.default_folder()
    cluster = local.status(place).cluster
    if cluster is None:
        raise HceError(f"there is no database in {place}", remedy="pyhce up makes one.")
    return local.environment(cluster, role)


def register(
    dsn: str | None = None,
    *,
    workers: Sequence[str] = (),
    coordinator: str | None = None,
    passwords: Mapping[str, str] | None = None,
    shard_count: int = DEFAULT_SHARD_COUNT,
    time_zone: str = DEFAULT_TIME_ZONE,
    timeout: float = 120.0,
    lock_wait: float = LOCK_WAIT,
    identity_rules: Choice | None = None,
    progress: Progress = no_progress,
) -> RegistrationReport:
    """Make the cluster what the declaration says: nodes, schema, homes of tables, stored rows.

    See `pyhce.citus.register` and `pyhce.records.upgrading`.

    Args:
        lock_wait: seconds that a migration goes on trying where others hold a table.
        identity_rules: those that the loads are done by, as for `load`: a migration may compute documents anew.
    """
    return _register_and_upgrade(
        resolve_dsn(dsn),
        workers=[Node.parse(text) for text in workers],
        coordinator=Node.parse(coordinator) if coordinator else None,
        passwords=passwords,
        shard_count=shard_count,
        time_zone=time_zone,
        timeout=timeout,
        lock_wait=lock_wait,
        rules=choose_rules(identity_rules),
        progress=progress,
    )


def _register_and_upgrade(dsn: str, *, rules: RuleSet, progress: Progress, **options: Any) -> RegistrationReport:
    """Nodes, schema and homes; then the stored rows, once every table is in its home."""
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
    """Look whether everything is as the declaration says.

    Args:
        groups: only these groups of checks.
        identity_rules: those that the loads are done by, as for `load`.
        wait: seconds to go on looking until all is right.
    """
    return _verify(
        resolve_dsn(dsn),
        schema=SCHEMA,
        groups=groups,
        extra_checks=[IdentifierCheck(choose_rules(identity_rules))],
        wait=wait,
        progress=progress,
    )


def status(dsn: str | None = None) -> StatusReport:
    """A quick overview: nodes, versions, sizes, counts."""
    return _status(resolve_dsn(dsn), schema=SCHEMA)


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
    progress: Callable[[LoadReport], None] | None = None,
) -> LoadReport:
    """Load FHIR files and folders; see `pyhce.records.loading.load`.

    Args:
        identity_rules: packs by name and files of rules, `"colombia,own.json"`; if None what PYHCE_IDENTITY_RULES says.
        jobs: connections to write through at once.
        max_resource_size: of one resource in MB, 16 to 240; what is larger is rejected. docs/loading.md says what
            memory it takes.

    Raises:
        UsageError: a path is empty, `max_resource_size` is out of range, or what `pyhce.records.loading.load` says.
    """
    if "" in paths:  # Path("") is the current folder
        raise UsageError("a path is empty", remedy="Give files, folders or patterns; . is the current folder.")
    named = [Path(path) for path in paths]
    rules = choose_rules(identity_rules)
    with limit_resource_size(max_resource_size), _ready(dsn) as conn, ExitStack() as stack:
        writers = [stack.enter_context(connection.connect_as_writer(resolve_dsn(dsn))) for _ in range(jobs)]
        return _load(
            conn,
            named,
            schema=SCHEMA,
            writers=writers,
            fuente=source,
            rules=rules,
            reject_file=reject_file,
            again=again,
            strict=strict,
            bases=bases,
            open_documents=open_documents,
            repair_ids=repair_ids,
            progress=progress,
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
    """Write every resource as NDJSON, as FHIR's Bulk Data does; see `pyhce.records.exporting.export`."""
    with _ready(dsn) as conn:
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
    """Compare the files of an export with its manifest; needs no database."""
    return _check_export(Path(folder))


def patient(document: str, *, dsn: str | None = None) -> PatientRecord:
    """One patient's record."""
    with _ready(dsn) as conn:
        return _patient(conn, document, schema=SCHEMA)


def rekey(
    old: str, new: str, *, dsn: str | None = None, identity_rules: Choice | None = None, dry_run: bool = False
) -> CorrectionReport:
    """Give a record another document.

    Args:
        identity_rules: those that the loads are done by, as for `load`.
    """
    rules = choose_rules(identity_rules)
    with _ready(dsn) as conn:
        return _rekey(conn, old, new, schema=SCHEMA, rules=rules, dry_run=dry_run)


def merge(
    source: str, into: str, *, dsn: str | None = None, identity_rules: Choice | None = None, dry_run: bool = False
) -> CorrectionReport:
    """Bring two records of one person together under the document `into`; see `pyhce.records.patient.merge`.

    Args:
        identity_rules: those that the loads are done by, as for `load`.
    """
    rules = choose_rules(identity_rules)
    with _ready(dsn) as conn:
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
    """Undo a wrong merge: take Patients (`SOURCE/ID`) out of a record into one under the document `to`.

    Args:
        identity_rules: those that the loads are done by, as for `load`.
    """
    rules = choose_rules(identity_rules)
    with _ready(dsn) as conn:
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
    """Give each resource that is stored in several places one place; see `pyhce.records.repair`."""
    with _ready(dsn) as conn:
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
    """Remove a patient for good, with a receipt; see `pyhce.records.erasing.erase`.

    Args:
        identity_rules: those that the loads are done by, as for `load`.
    """
    rules = choose_rules(identity_rules)
    with _ready(dsn) as conn:
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
    """The date of the last care in a record, and how long it must be kept; see `pyhce.records.erasing.retention`."""
    with _ready(dsn) as conn:
        return _retention(conn, document, schema=SCHEMA, years=years)


def generate_sql(folder: Path) -> tuple[Path, ...]:
    """Write the image's init scripts."""
    return _generate.sql(SCHEMA, folder)


def generate_docs(folder: Path) -> tuple[Path, ...]:
    """Write the data dictionary and the list of checks."""
    written = _generate.docs(SCHEMA, folder)
    checks = folder / "checks.md"
    checks.write_text(checks_document((IdentifierCheck(), *deploy.CHECKS)), encoding="utf-8")
    return (*written, checks)


def _ready(dsn: str | None) -> AbstractContextManager[DatabaseConnection]:
    return migrated_connection(resolve_dsn(dsn), SCHEMA)
