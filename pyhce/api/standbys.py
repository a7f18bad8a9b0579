"""Standbys: which groups a database has, switchover and reinitialization."""

from __future__ import annotations

from pathlib import Path

from pyhce import local
from pyhce.citus.connection import Progress, host_and_port, no_progress, password_file, password_in
from pyhce.errors import UsageError
from pyhce.patroni import PauseReport, ReinitReport, Standbys, SwitchoverReport, ha_file, rest_password
from pyhce.patroni import pause as _pause
from pyhce.patroni import reinit as _reinit
from pyhce.patroni import switchover as _switchover
from pyhce.settings import SUPERUSER


def find_standbys(dsn: str) -> Standbys | None:
    """The groups of a database, None if it has no standbys.

    They are those of the file that PYHCE_HA names; else those of the data folder of `pyhce up` that the DSN leads to.

    Raises:
        HceError: the file cannot be read.
    """
    ha = ha_file()
    if ha is not None:
        return Standbys(ha=ha, password=rest_password(password_in(dsn)))
    passfile = password_file(dsn)
    found = _standbys_of(Path(passfile).parent if passfile else local.default_folder())
    if found is None or host_and_port(dsn)[1] != found.ha.groups[0].port:
        return None
    return found


def _standbys_of(folder: Path) -> Standbys | None:
    try:
        ha = local.read_ha(folder)
        return Standbys(ha=ha, password=rest_password(local.passwords(folder)[SUPERUSER])) if ha else None
    except PermissionError:  # the folder of another account
        return None


def _required(folder: Path | None) -> Standbys:
    ha = ha_file()
    if ha is not None:
        return Standbys(ha=ha, password=rest_password(password_in("")))
    path = folder or local.default_folder()
    found = _standbys_of(path)
    if found is None:
        raise UsageError(
            f"the database in {path} has no standbys",
            remedy="Add them with: pyhce up --standbys 1. For a database on Kubernetes, give --on.",
        )
    return found


def switchover(
    group: str,
    *,
    to: str | None = None,
    folder: Path | None = None,
    timeout: float = 60.0,
    progress: Progress = no_progress,
) -> SwitchoverReport:
    """Hand the leadership of a group over to a standby; see `pyhce.patroni.switchover`.

    Args:
        group: the group's name, such as citus-coordinator.
        to: the standby; None for a synchronous one.
        folder: the data folder of `pyhce up`; the default folder if None. PYHCE_HA comes first.
        timeout: seconds to wait until the new leader accepts writes, and again until the former one follows it.

    Raises:
        UsageError: there are no standbys, or no such group or member.
        HceError: there is no leader, no standby can take over, or the time is over.
    """
    found = _required(folder)
    return _switchover(found.ha, found.password, group, to, timeout, progress)


def reinit(
    member: str, *, folder: Path | None = None, timeout: float = 600.0, progress: Progress = no_progress
) -> ReinitReport:
    """Let a standby delete its data and copy the leader's; see `pyhce.patroni.reinit`.

    Args:
        member: the standby's name.
        folder: as for `switchover`.
        timeout: seconds to wait until it follows the leader in sync.

    Raises:
        UsageError: there are no standbys, no such member, or it is the leader.
        HceError: Patroni refused, or the time is over.
    """
    found = _required(folder)
    return _reinit(found.ha, found.password, member, timeout, progress)


def pause(
    *, paused: bool = True, folder: Path | None = None, timeout: float = 60.0, progress: Progress = no_progress
) -> PauseReport:
    """Let Patroni do nothing by itself in any group, or work again; see `pyhce.patroni.pause`.

    Args:
        paused: False ends the pause.
        folder: as for `switchover`.
        timeout: seconds to wait until every member of a group knows it.

    Raises:
        UsageError: there are no standbys.
        HceError: the time is over.
    """
    found = _required(folder)
    return _pause(found.ha, found.password, paused=paused, timeout=timeout, progress=progress)
