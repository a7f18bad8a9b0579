"""The site's own login roles: adding, listing, rotating and dropping them, and the errors; on both engines."""

from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest

import pyhce
from pyhce import local
from pyhce.citus.connection import connect, scalar
from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.commands import pyhce as run
from tests.shared.database import TestDatabase, unique
from tests.shared.saves import person
from tests.shared.until import until


def as_role(db: TestDatabase, name: str, pgpass: Path) -> str:
    """A DSN for a role whose password is in a pgpass file."""
    node = db.cluster.coordinator
    return f"host={node.host} port={node.port} user={name} dbname=hce_distribuida passfile={pgpass}"


def roles(db: TestDatabase) -> set[str]:
    return {name for (name,) in db.rows("SELECT rolname FROM pg_roles")}


def test_a_role_is_added_rotated_and_dropped(db: TestDatabase, tmp_path: Path) -> None:
    name, file = f"lis_{unique()}", tmp_path / "lis.pgpass"
    added = run("role", "add", name, "--like", "readonly", "--pgpass", file, "--dsn", db.dsn)
    assert (added.returncode, added.stderr) == (0, "")
    secret = file.read_text().strip().rpartition(":")[2]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in added.stdout
    with connect(as_role(db, name, file)) as conn:
        assert scalar(conn, "SELECT count(*) FROM observacion JOIN paciente USING (documento_id)") is not None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("DELETE FROM observacion")
        rotated = run("role", "rotate", name, "--pgpass", file, "--dsn", db.dsn)
        assert (rotated.returncode, rotated.stderr) == (0, "")
        assert file.read_text().strip().rpartition(":")[2] != secret
        assert scalar(conn, "SELECT count(*) FROM observacion") is not None  # the open session still works
        with connect(as_role(db, name, file)) as other:
            assert scalar(other, "SELECT count(*) FROM observacion") is not None
        with pytest.raises(ConnectionFailed, match="password"):
            connect(as_role(db, name, file).replace(f"passfile={file}", f"passfile=/dev/null password={secret}"))
        listed = run("role", "list", "--dsn", db.dsn)
        assert (listed.returncode, "works on every node" in listed.stdout) == (0, True), listed.stdout
        dropped = run("role", "drop", name, "--yes", "--dsn", db.dsn)
        assert (dropped.returncode, "1 session of the role ended" in dropped.stdout) == (0, True), dropped.stderr
        until(lambda: ended(conn), "the session of a dropped role was not ended")
    assert name not in roles(db)
    assert list(tmp_path.iterdir()) == [file]


def ended(conn: psycopg.Connection[tuple[object, ...]]) -> bool:
    try:
        conn.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def test_a_role_like_app_writes_through_pyhce_but_cannot_change_rows_itself(db: TestDatabase, tmp_path: Path) -> None:
    name, file, source = f"app_{unique()}", tmp_path / "app.pgpass", unique()
    pyhce.add_role(name, like="app", pgpass=file, dsn=db.dsn)
    try:
        with pyhce.connect(as_role(db, name, file), source=source) as writer:
            assert writer.save(person("p", unique())).outcome == "new"
        with connect(as_role(db, name, file)) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("DELETE FROM historia")
    finally:
        pyhce.drop_role(name, dsn=db.dsn)


def test_a_password_is_read_from_a_file_or_an_environment_variable(db: TestDatabase, tmp_path: Path) -> None:
    name, file = f"given_{unique()}", tmp_path / "secret"
    file.write_text("from-a-file\n")
    assert run("role", "add", name, "--like", "readonly", "--password-file", file, "--dsn", db.dsn).returncode == 0
    try:
        node = db.cluster.coordinator
        at = f"host={node.host} port={node.port} user={name} dbname=hce_distribuida passfile=/dev/null"
        connect(f"{at} password=from-a-file").close()
        done = run("role", "rotate", name, "--dsn", db.dsn, PYHCE_ROLE_PASSWORD="from-a-variable")
        assert (done.returncode, "from-a-variable" in done.stdout) == (0, False)
        connect(f"{at} password=from-a-variable").close()
        assert list(tmp_path.iterdir()) == [file]
    finally:
        pyhce.drop_role(name, dsn=db.dsn)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("pg_reader", "reserved"), ("hce_reader", "reserved"), ("hce_app", "reserved"), ("postgres", "reserved"),
        ("public", "reserved"), ("Two words", "is not a role name"), ("", "is not a role name"),
        ("a" * 64, "is not a role name"), ('a"; DROP ROLE hce_app; --', "is not a role name"),
    ],
)  # fmt: skip
def test_an_invalid_role_name_is_refused(db: TestDatabase, tmp_path: Path, name: str, rule: str) -> None:
    before = roles(db)
    done = run("role", "add", "--like", "app", "--pgpass", tmp_path / "f", "--dsn", db.dsn, "--", name)
    assert done.returncode == 2
    assert rule in done.stderr
    assert repr(name) in done.stderr
    assert roles(db) == before
    assert list(tmp_path.iterdir()) == []


def test_existing_names_invalid_passwords_and_our_own_roles_are_refused(db: TestDatabase, tmp_path: Path) -> None:
    name, file = f"twice_{unique()}", tmp_path / "twice.pgpass"
    pyhce.add_role(name, like="readonly", pgpass=file, dsn=db.dsn)
    try:
        with pytest.raises(UsageError, match=f"role '{name}' already exists") as caught:
            pyhce.add_role(name, like="app", pgpass=tmp_path / "other", dsn=db.dsn)
        assert f"pyhce role rotate {name}" in caught.value.remedy
        with pytest.raises(UsageError, match=r"file for the password exists already: .*twice\.pgpass"):
            pyhce.add_role(f"{name}_2", like="readonly", pgpass=file, dsn=db.dsn)
        for wrong in ("short", "with a space in it", "contraseña-larga", "x" * 201):
            with pytest.raises(UsageError, match="8 to 200 printable ASCII") as caught:
                pyhce.add_role(f"{name}_2", like="readonly", password=wrong, dsn=db.dsn)
            assert wrong not in str(caught.value)
        for change in (pyhce.rotate_role, pyhce.drop_role):
            with pytest.raises(UsageError, match="no login role 'nobody'"):
                change("nobody", dsn=db.dsn)
            with pytest.raises(UsageError, match="hce_app is a role of hce-citus"):
                change("hce_app", dsn=db.dsn)
        with pytest.raises(UsageError, match="hce_app is not a superuser"):
            pyhce.list_roles(dsn=local.dsn(db.cluster, "hce_app"))
        assert f"{name}_2" not in roles(db)
        assert list(tmp_path.iterdir()) == [file]
    finally:
        pyhce.drop_role(name, dsn=db.dsn)


def test_a_role_that_owns_objects_can_be_dropped_after_following_the_remedy(db: TestDatabase, tmp_path: Path) -> None:
    name, file = f"owner_{unique()}", tmp_path / "owner.pgpass"
    pyhce.add_role(name, like="readonly", pgpass=file, dsn=db.dsn)
    db.conn.execute(f'CREATE SCHEMA {name}_s AUTHORIZATION "{name}"'.encode())
    with pytest.raises(HceError, match=f"cannot be dropped: owner of schema {name}_s") as caught:
        pyhce.drop_role(name, dsn=db.dsn)
    assert "ALTER … OWNER TO postgres" in caught.value.remedy
    with connect(as_role(db, name, file)) as conn:
        assert scalar(conn, "SELECT count(*) FROM observacion") is not None
    db.conn.execute(f"ALTER SCHEMA {name}_s OWNER TO postgres".encode())
    pyhce.drop_role(name, dsn=db.dsn)
    assert name not in roles(db)
    db.conn.execute(f"DROP SCHEMA {name}_s".encode())


def test_a_role_without_a_password_is_reported_and_the_remedy_repairs_it(db: TestDatabase, tmp_path: Path) -> None:
    name = f"bare_{unique()}"
    db.conn.execute(f"CREATE ROLE {name} LOGIN IN ROLE hce_readonly".encode())
    try:
        found = {check.code: check for check in verify(db.dsn, schema=SCHEMA, groups=["nodes"]).failed}
        assert f"{name} has no password" in found["HCE0108"].details
        assert "pyhce role rotate" in (found["HCE0108"].remedy or "")
        listed = run("role", "list", "--dsn", db.dsn)
        assert (listed.returncode, "has no password" in listed.stdout) == (1, True)
        pyhce.rotate_role(name, pgpass=tmp_path / "bare.pgpass", dsn=db.dsn)
        with connect(as_role(db, name, tmp_path / "bare.pgpass")) as conn:
            assert scalar(conn, "SELECT count(*) FROM observacion") is not None
        assert verify(db.dsn, schema=SCHEMA, groups=["nodes"]).failed == ()
    finally:
        pyhce.drop_role(name, dsn=db.dsn)
