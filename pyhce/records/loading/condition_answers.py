"""Conditional creates and updates of a load's bundles, answered from the database.

Everything before the bundle is written first, so that the look-up finds it. From the answer until the bundle is
committed, no other load gets an answer about the same terms (`pyhce.records.writing.condition_matches`). So of two
loads with the same conditional create, one creates the resource and the other finds it. If the load is killed, the
server releases the locks, and a repeated load finds what was committed.
"""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from types import TracebackType
from typing import Self

import psycopg

from pyhce.citus.failover import SteadyConnection
from pyhce.records.loading.batch_writers import BatchWriters
from pyhce.records.loading.state import RERUN_REMEDY, LoadState
from pyhce.records.reading.conditions import Condition, ConditionsAsked, ConditionsDone
from pyhce.records.reading.incoming import ConditionSignal, Deletion, InputLocation
from pyhce.records.reading.prepared import source_and_bases
from pyhce.records.writing.condition_matches import (
    Terms,
    condition_lock_numbers,
    lock_conditions,
    matching_ids,
    release_conditions,
)
from pyhce.records.writing.retry import retry_transaction

logger = logging.getLogger(__name__)


class ConditionAnswers:
    """Answers the conditions of a load's bundles. No lock remains after `with`, however the load ends.

    Args:
        conn: the connection of the load. While it holds locks, nothing of the load is repeated after a lost node: the
            locks may be gone, and another load may have got the same answer. The load ends, and a repeated load asks
            again.
    """

    def __init__(self, state: LoadState, conn: SteadyConnection) -> None:
        self._state, self._conn = state, conn
        self._locked: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with contextlib.suppress(psycopg.Error):  # a lost connection has released the locks
            self._release()

    def handle(self, asking: ConditionSignal, out: BatchWriters) -> None:
        """Answer a bundle's conditions, or release their locks at its end.

        A bundle within one that has been answered gets no answer, so its conditional entries are rejected.
        """
        if isinstance(asking, ConditionsDone):
            if self._locked:
                out.drain()
                self._release()
        elif isinstance(asking, ConditionsAsked) and not self._locked:
            out.drain()
            self._answer(asking)

    def _release(self) -> None:
        locked, self._locked = self._locked, set()
        if locked:
            release_conditions(self._conn.conn, locked)
            self._state.holds_condition_locks = False

    def _answer(self, asked: ConditionsAsked) -> None:
        sources: dict[str, dict[str, dict[Terms, list[Condition]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )
        numbers: set[int] = set()
        for one in asked.conditional:
            fuente = self._source_of(one.condition, asked)
            numbers |= condition_lock_numbers(fuente, one.condition.type, one.condition.terms | one.resource_keys)
        for condition in asked.conditions:
            sources[self._source_of(condition, asked)][condition.type][condition.terms].append(condition)
        self._conn.run(lambda conn: lock_conditions(conn, numbers))
        self._locked = numbers
        self._state.holds_condition_locks = bool(numbers)
        conn = self._conn.conn

        def look_up(_: int) -> dict[Condition, set[str]]:
            found = {}
            for fuente, kinds in sources.items():
                for kind, asks in kinds.items():
                    for terms, ids in matching_ids(conn, self._state.schema, fuente, kind, asks).items():
                        found.update(dict.fromkeys(asks[terms], ids))
            return found

        logger.debug("looking up the conditions of %d entries", len(asked.conditional))
        asked.matches = retry_transaction(conn, look_up, remedy=RERUN_REMEDY)
        self._state.condition_outcomes.update(asked.outcomes())

    def _source_of(self, condition: Condition, asked: ConditionsAsked) -> str:
        named = Deletion(InputLocation("", 0), condition.type, "", condition.base, asked.bases)
        fuente = source_and_bases(named, self._state.bases)[0]
        return self._state.fuente if fuente is None else fuente
