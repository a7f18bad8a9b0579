"""HCE06: a query for one patient goes to one shard; joins run shard by shard; counts over all shards are right."""

from __future__ import annotations

import json
from typing import Any

from pyhce.counted import counted
from pyhce.verify.context import Context, only_on_citus
from pyhce.verify.model import Finding, FunctionCheck, ok_unless

GROUP = "routing"
_ONE_PATIENT = "SELECT * FROM observacion WHERE documento_id = 'CC-1'"
_JOIN = (
    "SELECT count(*) FROM paciente p JOIN encuentro e USING (documento_id)"
    " JOIN observacion o USING (documento_id) WHERE p.documento_id = 'CC-1'"
)


def _tasks(context: Context, query: str) -> int | None:
    """The number of tasks in Citus' plan of a query, None if the plan names none."""
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
    """A query and a join by `documento_id` are one task each."""
    tasks = {
        "a patient's observations": _tasks(context, _ONE_PATIENT),
        "a patient's joined tables": _tasks(context, _JOIN),
    }
    problems = [f"{what} take {count} tasks" for what, count in tasks.items() if count != 1]
    return ok_unless(problems, "a query and a join for one patient are one task each")


def joined_by_shard(context: Context) -> Finding:
    """Related tables are joined on the workers, shard by shard."""
    expediente = context.citus_tables.get("public.expediente")
    shards = expediente.shards if expediente else 0
    count = _tasks(context, "SELECT count(*) FROM paciente p JOIN observacion o USING (documento_id)")
    return ok_unless(
        [f"a join of patients and observations takes {counted(count or 0, 'task')} for {counted(shards, 'shard')}"]
        if count != shards
        else [],
        f"a join over all patients is {counted(shards, 'task')}, one for each shard",
    )


def counts_agree(context: Context) -> Finding:
    """A count over all shards equals the sum of the counts of each shard."""
    problems = []
    for table in ("expediente", "observacion"):
        with context.conn.transaction():
            context.conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            whole = context.value(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
            parts = context.value(
                "SELECT sum(result::bigint) FROM run_command_on_shards(%s, 'SELECT count(*) FROM %%s')", table
            )
        if whole != parts:
            problems.append(f"{table}: one query counts {counted(whole, 'row')}, the shards have {parts}")
    return ok_unless(problems, "a count over all shards equals the sum of their counts")


CHECKS = (
    FunctionCheck(
        "HCE0601", GROUP, "A query for one patient is one task on one shard",
        "`pyhce register` co-locates the tables.",
        only_on_citus(one_task),
    ),
    FunctionCheck(
        "HCE0602", GROUP, "Tables are joined shard by shard", "`pyhce register`", only_on_citus(joined_by_shard)
    ),
    FunctionCheck(
        "HCE0603", GROUP, "A count over all shards is correct",
        "If a load was running, check again when it has ended: `pyhce verify --group routing`. Otherwise report a bug.",
        only_on_citus(counts_agree),
    ),
)  # fmt: skip
