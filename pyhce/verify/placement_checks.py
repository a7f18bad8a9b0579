"""03: shards are on active nodes, balanced, none left over."""

from __future__ import annotations

from pyhce.schema.model import Home
from pyhce.verify.context import Context, only_on_citus
from pyhce.verify.model import Finding, FunctionCheck, Result, ok, ok_unless

GROUP = "placement"


def balanced(context: Context) -> Finding:
    """Each worker has its part of the shards: at most a tenth, or one, above an even share."""
    told, uneven = [], False
    for home in (Home.PATIENT, Home.ID):
        found = _shards(context, home)
        counts = [count for _, count in found]
        even = sum(counts) / max(len(counts), 1)
        uneven |= bool(counts) and max(counts) > max(even * 1.1, even + 1)
        told.append(f"by {home.value} " + ", ".join(f"{place} {count}" for place, count in found))
    sentence = f"shards of a table on each worker: {'; '.join(told)}"
    return ok_unless([sentence] if uneven else [], sentence, severity=Result.WARNING)


def _shards(context: Context, home: Home) -> list[tuple[str, int]]:
    """Each worker, with how many shards it has of one table of a home."""
    anchor = next(table for table in context.schema.tables if table.home is home)
    return context.rows(
        "SELECT n.nodename || ':' || n.nodeport, count(s.shardid) FROM pg_dist_node n"
        " LEFT JOIN pg_dist_placement p USING (groupid)"
        " LEFT JOIN pg_dist_shard s ON s.shardid = p.shardid AND s.logicalrelid = to_regclass(%s)"
        " WHERE n.groupid <> 0 AND n.shouldhaveshards AND n.noderole = 'primary' GROUP BY 1 ORDER BY 1",
        anchor.qualified,
    )


def placed_well(context: Context) -> Finding:
    """Each shard has a placement, on an active node."""
    lost = context.rows(
        "SELECT s.logicalrelid::text, count(*) FROM pg_dist_shard s LEFT JOIN pg_dist_placement p USING (shardid)"
        " LEFT JOIN pg_dist_node n ON n.groupid = p.groupid AND n.isactive WHERE n.nodeid IS NULL GROUP BY 1"
    )
    total = context.value("SELECT count(*) FROM pg_dist_placement")
    return ok_unless(
        [f"{count} shards of {table} are on no active node" for table, count in lost], f"{total} placements"
    )


def none_left_over(context: Context) -> Finding:
    """What an interrupted move left for Citus to clean up."""
    count = context.value("SELECT count(*) FROM pg_dist_cleanup")
    return ok_unless(
        [f"{count} left-over shards or objects wait for clean-up"] if count else [],
        "nothing is left over",
        severity=Result.WARNING,
    )


def everywhere(context: Context) -> Finding:
    """Reference tables are whole on every node."""
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
        [f"{table} is on {count} of {active} nodes" for table, count in short], f"{wanted} reference tables"
    )


def sizes(context: Context) -> Finding:
    """How much each worker holds: for people to see."""
    found = context.rows(
        "SELECT nodename || ':' || nodeport, pg_size_pretty(sum(shard_size)) FROM citus_shards"
        " WHERE citus_table_type = 'distributed' GROUP BY 1 ORDER BY 1"
    )
    return ok(", ".join(f"{place} {size}" for place, size in found))


CHECKS = (
    FunctionCheck(
        "HCE0301", GROUP, "Shards are balanced between workers",
        "SELECT citus_rebalance_start(); moves shards while writes go on.", only_on_citus(balanced),
    ),
    FunctionCheck(
        "HCE0302", GROUP, "Every shard is on an active node", "Bring the node back: `pyhce register`.",
        only_on_citus(placed_well),
    ),
    FunctionCheck(
        "HCE0303", GROUP, "No shard is left over",
        "CALL citus_cleanup_orphaned_resources();", only_on_citus(none_left_over)
    ),
    FunctionCheck(
        "HCE0304", GROUP, "Reference tables are on every node", "SELECT replicate_reference_tables();",
        only_on_citus(everywhere),
    ),
    FunctionCheck("HCE0305", GROUP, "Bytes by worker", "", only_on_citus(sizes)),
)  # fmt: skip
