"""HCE08: settings for durability, time zone, connections, write-ahead log, extensions, locks and server logs."""

from __future__ import annotations

import shutil
from pathlib import Path

from pyhce.citus import log_settings
from pyhce.citus.connection import scalar
from pyhce.citus.lock_table import CONCURRENT_WRITERS, lock_slots, slots_needed
from pyhce.counted import counted
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
    """The settings that protect acknowledged writes are as required on every node."""
    problems = []
    for address, conn in context.every_node():
        for name, required in REQUIRED.items():
            current = scalar(conn, "SELECT current_setting(%s)", name)
            if current != required:
                problems.append(f"{address}: {name} is {current}, must be {required}")
        if scalar(conn, "SHOW synchronous_commit") == "off":
            problems.append(f"{address}: synchronous_commit is off, so an acknowledged write can be lost")
    return ok_unless(problems, ", ".join(f"{name} {value}" for name, value in REQUIRED.items()))


def time_zone(context: Context) -> Finding:
    """Every node uses the installation's time zone for dates that carry none."""
    coordinator = context.value("SELECT hce.zona_horaria()")
    problems = []
    for address, conn in context.every_node():
        zone_of_node = scalar(conn, "SELECT hce.zona_horaria()")
        if zone_of_node != coordinator:
            problems.append(f"{address}: {zone_of_node}, the coordinator has {coordinator}")
    stored = context.value("SELECT zona_horaria FROM hce.instalacion LIMIT 1")
    if stored != coordinator:
        problems.append(f"the database was installed with {stored}, the coordinator has {coordinator}")
    return ok_unless(problems, f"{coordinator} on every node")


def connections(context: Context) -> Finding:
    """Every node has room for two-phase commits and for one connection for each of its shards, and 20 more."""
    problems = []
    shards = max((p.shards for p in context.citus_tables.values() if p.kind == "distributed"), default=0)
    per_worker = -(-shards // max(len(context.workers), 1))
    for address, conn in context.every_node():
        prepared = int(scalar(conn, "SELECT current_setting('max_prepared_transactions')"))
        allowed = int(scalar(conn, "SELECT current_setting('max_connections')"))
        if prepared == 0:
            problems.append(f"{address}: max_prepared_transactions is 0, so a write to two nodes fails")
        if allowed < per_worker + 20:
            problems.append(
                f"{address}: max_connections is {allowed}; one query may open {per_worker}, and 20 must stay free"
            )
        if scalar(conn, "SHOW wal_level") != "logical":
            problems.append(f"{address}: wal_level is not logical, so a shard that moves blocks writes")
    return ok_unless(problems, f"one query may open {counted(per_worker, 'connection')} on each worker")


def write_ahead_log(context: Context) -> Finding:
    """max_wal_size is at most a quarter of the volume. Only volumes of servers on this machine can be measured."""
    problems = []
    volumes = []
    for address, conn in context.every_node():
        data = Path(scalar(conn, "SHOW data_directory"))
        changed = int(scalar(conn, "SELECT extract(epoch FROM (pg_stat_file('.')).modification)::bigint"))
        if not _is_here(conn.info.host, data, changed):
            continue
        size = int(scalar(conn, "SELECT setting::bigint FROM pg_settings WHERE name = 'max_wal_size'")) * 1024**2
        disk = shutil.disk_usage(data)
        volumes.append(
            f"{address}: {size // 1024**2} MiB of {disk.total // 1024**2} MiB, {disk.free // 1024**2} MiB free"
        )
        if size > disk.total // 4:
            problems.append(
                f"{address}: max_wal_size is {size // 1024**2} MiB, the volume has {disk.total // 1024**2} MiB"
            )
        if disk.free < disk.total // 20 and disk.free < 1024**3:
            problems.append(f"{address}: only {disk.free // 1024**2} MiB are free")
    if not volumes:
        return skipped("the servers run on other machines, whose volumes cannot be measured from here")
    return ok_unless(problems, "; ".join(volumes))


def _is_here(host: str, data: Path, changed: int) -> bool:
    """Whether the server runs on this machine: its address is local and its data folder is here.

    A container behind a forwarded port has a local address too, but the folder here is missing or another one.
    """
    if host not in {"localhost", "127.0.0.1", "::1"} and not host.startswith("/"):
        return False
    try:
        return int(data.stat().st_mtime) == changed
    except OSError:
        return False


def extensions(context: Context) -> Finding:
    """The extensions that the schema needs are installed."""
    installed = {name for (name,) in context.rows("SELECT extname FROM pg_extension")}
    return ok_unless(
        ["the extension pg_trgm is missing"] if "pg_trgm" not in installed else [], ", ".join(sorted(installed))
    )


def lock_table(context: Context) -> Finding:
    """The coordinator has room for a lock on each resource of the batches that are written at once."""
    slots, needed = lock_slots(context.conn), slots_needed()
    room = f"{slots} locks, {needed} needed for {CONCURRENT_WRITERS} writers"
    return ok_unless([f"{room}: loads write smaller batches"] if slots < needed else [], room,
                  severity=Result.WARNING)  # fmt: skip


def logs(context: Context) -> Finding:
    """The database's own settings keep documents out of the server logs, whatever postgresql.conf says."""
    problems = [
        f"{address}: {problem}"
        for address, conn in context.every_node()
        for problem in log_settings.log_setting_problems(conn)
    ]
    return ok_unless(problems, "no log contains parameters or details, no worker's log contains statements")


CHECKS = (
    FunctionCheck(
        "HCE0801", GROUP, "Settings protect acknowledged writes",
        "Set them in postgresql.conf and restart the node.", durable
    ),
    FunctionCheck(
        "HCE0802", GROUP, "Every node uses the installation's time zone for dates that carry none",
        "Restore the function hce.zona_horaria() of the installation: stored values were computed with it.", time_zone,
    ),
    FunctionCheck(
        "HCE0803", GROUP, "Settings leave room for Citus' connections",
        "Change them in postgresql.conf and restart the node.",
        only_on_citus(connections),
    ),
    FunctionCheck(
        "HCE0804", GROUP, "max_wal_size is at most a quarter of the volume",
        "Set max_wal_size to at most a quarter of the volume and reload. `pyhce up` does it at each start.",
        write_ahead_log,
    ),
    FunctionCheck("HCE0805", GROUP, "The required extensions are installed", "`CREATE EXTENSION pg_trgm;`", extensions),
    FunctionCheck(
        "HCE0806", GROUP, "The lock table has room for the writers' batches",
        "`ALTER SYSTEM SET max_locks_per_transaction = 1024;` on the coordinator, then restart it.", lock_table,
    ),
    FunctionCheck(
        "HCE0810", GROUP, "Log settings keep patients' documents out of the server logs",
        "`pyhce register`. For a setting of a role: `ALTER ROLE NAME RESET SETTING;`, also with IN DATABASE.", logs,
    ),
)  # fmt: skip
