"""Single writes on Citus."""

from __future__ import annotations

from pyhce import local
from pyhce.citus.nodes import Node
from pyhce.citus.register import register
from pyhce.records.saving.application_input import resource_to_save
from pyhce.records.saving.save import SourceRecords, save
from pyhce.schema.declaration import SCHEMA
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight
from tests.shared.saves import *  # noqa: F403 - every test of it, on a coordinator and two workers


def test_a_save_is_one_statement_on_the_node_of_the_patient(db: TestDatabase) -> None:
    records, number = SourceRecords(SCHEMA, unique(), ()), unique()
    save(db.conn, records, resource_to_save(SCHEMA, person("p", number)))
    observation = weight("o", "Patient/p")
    save(db.conn, records, resource_to_save(SCHEMA, observation))
    issued: list[str] = []
    handler = lambda notice: issued.append(notice.message_primary or "")  # noqa: E731
    db.conn.add_notice_handler(handler)
    db.conn.execute("SET citus.log_remote_commands TO on")
    try:
        save(db.conn, records, resource_to_save(SCHEMA, weight("o", "Patient/p", "80")))
    finally:
        db.conn.execute("RESET citus.log_remote_commands")
        db.conn.remove_notice_handler(handler)
    assert [line.split("(")[0] for line in issued] == ["issuing SELECT hce.guardar_observacion"]


def test_register_sends_a_function_back_to_the_node_of_its_rows(db: TestDatabase) -> None:
    def registered() -> tuple[str, ...]:
        nodes = [Node(host=n.host, port=n.port) for n in db.cluster.workers]
        return register(db.dsn, schema=SCHEMA, workers=nodes, passwords=local.passwords(db.folder)).settings

    db.conn.execute(
        "UPDATE pg_catalog.pg_dist_object SET distribution_argument_index = NULL"
        " WHERE objid = (SELECT oid FROM pg_proc WHERE proname = 'guardar_alerta')"
    )
    assert registered() == ("distributed the save functions: 1",)
    assert registered() == ()
