"""All SQL that speaks to Citus: connections, nodes, migrations, homes of tables."""
