"""HCE03: shards are balanced and on active nodes, and none is left over from a move."""

from __future__ import annotations

from pyhce.counted import counted
from pyhce.schema.model import Home
from pyhce.verify.context import Context, only_on_citus
from pyhce.verify.model import Finding, FunctionCheck, Result, ok, ok_unless

GROUP = "placement"


def balanced(context: Context) -> Finding:
    """No worker has more than its share of shards: at most 10 % or one shard above the average."""
    parts, uneven = [], False
    for home in (Home.PATIENT, Home.ID):
        shards = _shards_by_worker(context, home)
        counts = [count for _, count in shards]
        average = sum(counts) / max(len(counts), 1)
        uneven |= bool(counts) and max(counts) > max(average * 1.1, average + 1)
        parts.append(f"by {home.value} " + ", ".join(f"{address} {count}" for address, count in shards))
    counted = f"shards of a table on each worker: {'; '.join(parts)}"
    return ok_unless([counted] if uneven else [], counted, severity=Result.WARNING)


def _shards_by_worker(context: Context, home: Home) -> list[tuple[str, int]]:
    """Each worker and its number of shards of one table of a home: (address, count)."""
    anchor = next(table for table in context.schema.tables if table.home is home)
    return context.rows(
        "SELECT n.nodename || ':' || n.nodeport, count(s.shardid) FROM pg_dist_node n"
        " LEFT JOIN pg_dist_placement p USING (groupid)"
        " LEFT JOIN pg_dist_shard s ON s.shardid = p.shardid AND s.logicalrelid = to_regclass(%s)"
        " WHERE n.groupid <> 0 AND n.shouldhaveshards AND n.noderole = 'primary' GROUP BY 1 ORDER BY 1",
        anchor.qualified,
    )


def on_active_nodes(context: Context) -> Finding:
    """Each shard has a placement on an active node."""
    lost = context.rows(
        "SELECT s.logicalrelid::text, count(*) FROM pg_dist_shard s LEFT JOIN pg_dist_placement p USING (shardid)"
        " LEFT JOIN pg_dist_node n ON n.groupid = p.groupid AND n.isactive AND n.noderole = 'primary'"
        " WHERE n.nodeid IS NULL GROUP BY 1"
    )
    total = context.value("SELECT count(*) FROM pg_dist_placement")
    return ok_unless(
        [f"{counted(count, 'shard')} of {table} without an active node" for table, count in lost],
        counted(total, "placement"),
    )


def none_left_over(context: Context) -> Finding:
    """No interrupted move has left shards or other objects that Citus should clean up."""
    count = context.value("SELECT count(*) FROM pg_dist_cleanup")
    return ok_unless(
        [counted(count, "leftover shard or object waits for cleanup", "leftover shards or objects wait for cleanup")]
        if count
        else [],
        "no leftover shards or objects",
        severity=Result.WARNING,
    )


def reference_tables_complete(context: Context) -> Finding:
    """Each reference table has a placement on every active node."""
    active = sum(node.active for node in context.nodes)
    short = context.rows(
        "SELECT s.logicalrelid::text, count(p.placementid)"
        " FROM pg_dist_shard s JOIN pg_dist_partition t USING (logicalrelid)"
        " LEFT JOIN pg_dist_placement p USING (shardid) WHERE t.partmethod = 'n' AND t.repmodel = 't'"
        " GROUP BY 1 HAVING count(p.placementid) <> %s",
        active,
    )
    wanted = sum(table.home is Home.REFERENCE for table in context.schema.tables)
    return ok_unless(
        [f"{table} is on {count} of {counted(active, 'node')}" for table, count in short], f"{wanted} reference tables"
    )


def sizes(context: Context) -> Finding:
    """The size of each worker's shards, for information."""
    workers = context.rows(
        "SELECT nodename || ':' || nodeport, pg_size_pretty(sum(shard_size)) FROM citus_shards"
        " JOIN pg_dist_node AS n USING (nodename, nodeport) WHERE n.noderole = 'primary'"
        " AND citus_table_type = 'distributed' GROUP BY 1 ORDER BY 1"
    )
    return ok(", ".join(f"{address} {size}" for address, size in workers))


CHECKS = (
    FunctionCheck(
        "HCE0301", GROUP, "Shards are balanced between the workers",
        "`SELECT citus_rebalance_start();` moves shards while writes continue.", only_on_citus(balanced),
    ),
    FunctionCheck(
        "HCE0302", GROUP, "Every shard is on an active node", "Start the node, then `pyhce register`.",
        only_on_citus(on_active_nodes),
    ),
    FunctionCheck(
        "HCE0303", GROUP, "No shard is left over from a move",
        "`CALL citus_cleanup_orphaned_resources();`", only_on_citus(none_left_over)
    ),
    FunctionCheck(
        "HCE0304", GROUP, "Every reference table is on every node", "`SELECT replicate_reference_tables();`",
        only_on_citus(reference_tables_complete),
    ),
    FunctionCheck("HCE0305", GROUP, "Size of each worker's shards (reported only)", "", only_on_citus(sizes)),
)  # fmt: skip
