"""06: a patient's question goes to one shard of one node; a question about all patients is answered right."""

from __future__ import annotations

import json
from typing import Any

from pyhce.verify.context import Context, only_on_citus
from pyhce.verify.model import Finding, FunctionCheck, ok_unless

GROUP = "routing"
_ONE_PATIENT = "SELECT * FROM observacion WHERE documento_id = 'CC-1'"
_JOIN = (
    "SELECT count(*) FROM paciente p JOIN encuentro e USING (documento_id)"
    " JOIN observacion o USING (documento_id) WHERE p.documento_id = 'CC-1'"
)


def _tasks(context: Context, query: str) -> int | None:
    """How many tasks Citus makes of a query."""
    plan = context.value(f"EXPLAIN (FORMAT JSON) {query}")
    return _task_count(plan if isinstance(plan, list) else json.loads(plan))


def _task_count(plan: Any) -> int | None:
    if isinstance(plan, dict):
        if "Task Count" in plan:
            return int(plan["Task Count"])
        plan = list(plan.values())
    if isinstance(plan, list):
        return next((count for part in plan if (count := _task_count(part)) is not None), None)
    return None


def one_task(context: Context) -> Finding:
    """A query and a join by `documento_id`."""
    found = {
        "a patient's observations": _tasks(context, _ONE_PATIENT),
        "a patient's joined tables": _tasks(context, _JOIN),
    }
    problems = [f"{what} take {count} tasks" for what, count in found.items() if count != 1]
    return ok_unless(problems, "a patient's query, and a join, are one task on one shard")


def together(context: Context) -> Finding:
    """Related tables join on the workers, shard by shard."""
    shards = context.value("SELECT shard_count FROM citus_tables WHERE table_name = 'expediente'::regclass")
    count = _tasks(context, "SELECT count(*) FROM paciente p JOIN observacion o USING (documento_id)")
    return ok_unless(
        [f"joining patients and observations takes {count} tasks for {shards} shards"] if count != shards else [],
        f"a join of all patients is {shards} tasks, one a shard",
    )


def summed(context: Context) -> Finding:
    """A cross-shard count against the sum of each shard's own."""
    problems = []
    for table in ("expediente", "observacion"):
        with context.conn.transaction():
            context.conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            whole = context.value(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
            parts = context.value(
                "SELECT sum(result::bigint) FROM run_command_on_shards(%s, 'SELECT count(*) FROM %%s')", table
            )
        if whole != parts:
            problems.append(f"{table}: {whole} rows by one query, {parts} shard by shard")
    return ok_unless(problems, "a count over all shards is the sum of their counts")


CHECKS = (
    FunctionCheck(
        "HCE0601", GROUP, "A patient's query is one task on one shard", "`pyhce register` co-locates what is missing.",
        only_on_citus(one_task),
    ),
    FunctionCheck("HCE0602", GROUP, "Tables join shard by shard", "`pyhce register`.", only_on_citus(together)),
    FunctionCheck(
        "HCE0603", GROUP, "A cross-shard aggregate is right", "If a load was running, look again; else tell us.",
        only_on_citus(summed),
    ),
)  # fmt: skip
