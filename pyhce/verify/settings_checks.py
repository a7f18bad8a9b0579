"""08: settings that keep data whole, and disks that hold it."""

from __future__ import annotations

import shutil
from pathlib import Path

from pyhce.citus import log_settings
from pyhce.citus.connection import scalar
from pyhce.citus.lock_table import CONCURRENT_WRITERS, lock_slots, slots_needed
from pyhce.verify.context import Context, only_on_citus
from pyhce.verify.model import Finding, FunctionCheck, Result, ok_unless, skipped

GROUP = "settings"
REQUIRED = {
    "server_encoding": "UTF8",
    "data_checksums": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "password_encryption": "scram-sha-256",
}


def durable(context: Context) -> Finding:
    """What an acknowledged write's safety rests on, on every node."""
    problems = []
    for place, conn in context.every_node():
        for name, wanted in REQUIRED.items():
            held = scalar(conn, "SELECT current_setting(%s)", name)
            if held != wanted:
                problems.append(f"{place}: {name} is {held}, not {wanted}")
        if scalar(conn, "SHOW synchronous_commit") == "off":
            problems.append(f"{place}: synchronous_commit is off: an acknowledged write can be lost")
    return ok_unless(problems, ", ".join(f"{name} {value}" for name, value in REQUIRED.items()))


def zone(context: Context) -> Finding:
    """The zone of dates without one, the same wherever a column is computed."""
    here = context.value("SELECT hce.zona_horaria()")
    problems = []
    for place, conn in context.every_node():
        held = scalar(conn, "SELECT hce.zona_horaria()")
        if held != here:
            problems.append(f"{place}: {held}, the coordinator says {here}")
    stored = context.value("SELECT zona_horaria FROM hce.instalacion LIMIT 1")
    if stored != here:
        problems.append(f"installed with {stored}, now {here}")
    return ok_unless(problems, f"{here} on every node")


def connections(context: Context) -> Finding:
    """Room for Citus: two-phase commits, and a connection a shard of one query on each worker and some besides."""
    problems = []
    shards = max((p.shards for p in context.table_placements.values() if p.kind == "distributed"), default=0)
    per_worker = -(-shards // max(len(context.workers), 1))
    for place, conn in context.every_node():
        prepared = int(scalar(conn, "SELECT current_setting('max_prepared_transactions')"))
        allowed = int(scalar(conn, "SELECT current_setting('max_connections')"))
        if prepared == 0:
            problems.append(f"{place}: max_prepared_transactions is 0, so a write over two nodes fails")
        if allowed < per_worker + 20:
            problems.append(
                f"{place}: max_connections is {allowed}, one query may open {per_worker} and 20 are kept free"
            )
        if scalar(conn, "SHOW wal_level") != "logical":
            problems.append(f"{place}: wal_level is not logical, so shards move only with writes blocked")
    return ok_unless(problems, f"room for {per_worker} connections of one query on each worker")


def write_ahead_log(context: Context) -> Finding:
    """max_wal_size is at most a quarter of the volume, which can be seen where the server is on this machine."""
    problems = []
    told = []
    for place, conn in context.every_node():
        data = Path(scalar(conn, "SHOW data_directory"))
        changed = int(scalar(conn, "SELECT extract(epoch FROM (pg_stat_file('.')).modification)::bigint"))
        if not _is_here(conn.info.host, data, changed):
            continue
        size = int(scalar(conn, "SELECT setting::bigint FROM pg_settings WHERE name = 'max_wal_size'")) * 1024**2
        disk = shutil.disk_usage(data)
        told.append(f"{place}: {size // 1024**2} MiB of {disk.total // 1024**2} MiB, {disk.free // 1024**2} MiB free")
        if size > disk.total // 4:
            problems.append(f"{place}: max_wal_size is {size // 1024**2} MiB, the volume {disk.total // 1024**2} MiB")
        if disk.free < disk.total // 20 and disk.free < 1024**3:
            problems.append(f"{place}: {disk.free // 1024**2} MiB are free")
    if not told:
        return skipped("the servers are on other machines, whose volumes SQL does not show")
    return ok_unless(problems, "; ".join(told))


def _is_here(host: str, data: Path, changed: int) -> bool:
    """Whether the server runs on this machine: a local address, and the folder there is its own.

    A container behind a forwarded port has a local address too, and another folder under the same path.
    """
    if host not in {"localhost", "127.0.0.1", "::1"} and not host.startswith("/"):
        return False
    try:
        return int(data.stat().st_mtime) == changed
    except OSError:
        return False


def loaded(context: Context) -> Finding:
    """Extensions that the schema needs."""
    there = {name for (name,) in context.rows("SELECT extname FROM pg_extension")}
    return ok_unless(["the extension pg_trgm is missing"] if "pg_trgm" not in there else [], ", ".join(sorted(there)))


def lock_table(context: Context) -> Finding:
    """Room on the coordinator for a lock on each resource of the batches that are written at once."""
    slots, needed = lock_slots(context.conn), slots_needed()
    told = f"{slots} locks, {needed} for {CONCURRENT_WRITERS} writers"
    return ok_unless([f"room for {told}: loads write smaller batches"] if slots < needed else [], told,
                  severity=Result.WARNING)  # fmt: skip


def logs(context: Context) -> Finding:
    """What the database's own settings keep out of the log, whatever postgresql.conf says."""
    problems = [
        f"{place}: {problem}"
        for place, conn in context.every_node()
        for problem in log_settings.log_setting_problems(conn)
    ]
    return ok_unless(problems, "parameters and details stay out of every log, statements out of a worker's")


CHECKS = (
    FunctionCheck(
        "HCE0801", GROUP, "Settings keep acknowledged writes", "Set them in postgresql.conf and restart.", durable
    ),
    FunctionCheck(
        "HCE0802", GROUP, "One time zone for dates without one",
        "Restore hce.zona_horaria() as it was at installation: stored values were computed with it.", zone,
    ),
    FunctionCheck(
        "HCE0803", GROUP, "Room for Citus' connections", "Raise them in postgresql.conf and restart.",
        only_on_citus(connections),
    ),
    FunctionCheck(
        "HCE0804", GROUP, "max_wal_size fits the volume",
        "Set max_wal_size to at most a quarter of the volume; `pyhce up` does at each start.", write_ahead_log,
    ),
    FunctionCheck("HCE0805", GROUP, "Extensions are there", "CREATE EXTENSION pg_trgm", loaded),
    FunctionCheck(
        "HCE0806", GROUP, "The lock table has room for the writers' batches",
        "ALTER SYSTEM SET max_locks_per_transaction = 1024 on the coordinator, then restart it.", lock_table,
    ),
    FunctionCheck(
        "HCE0810", GROUP, "No log keeps a patient's document",
        "`pyhce register` sets them; a role's own: ALTER ROLE … RESET, also IN DATABASE.", logs,
    ),
)  # fmt: skip
