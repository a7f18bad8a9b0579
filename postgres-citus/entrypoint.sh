#!/usr/bin/env bash
# On the first start, a worker waits for its coordinator. The data directory is created under another name and renamed when
# it is complete, so that a kill leaves no half-made directory. Every later start runs the official entrypoint at once.
# The docker_… functions come from the official entrypoint, which supports being sourced (docker-library/postgres#496).
#
# Commands: `postgres …` creates the data directory if there is none and runs PostgreSQL; `patroni …` runs Patroni, which
# runs PostgreSQL; `create …` only creates the data directory (Patroni's start program calls it).
set -Eeo pipefail

wait_for_coordinator() {
    for ((waited = 0; ; waited += 2)); do
        pg_isready --quiet --host="$HCE_COORDINATOR" --port="${PGPORT:-5432}" --username=postgres && break
        ((waited % 10)) || echo "first start: waiting for the coordinator $HCE_COORDINATOR ($waited s)"
        sleep 2 & wait $!
    done
}

make_data_folder() {
    source docker-entrypoint.sh
    docker_setup_env
    docker_verify_minimum_env
    rm -rf "$PGDATA"
    docker_create_db_directories
    docker_init_database_dir
    pg_setup_hba_conf "$@"
    export PGPASSWORD="$POSTGRES_PASSWORD"
    docker_temp_server_start "$@"
    docker_setup_db
    docker_process_init_files /docker-entrypoint-initdb.d/*
    docker_temp_server_stop
}

create_data_folder() {
    if [[ -d $PGDATA && -n $(ls -A "$PGDATA") ]]; then
        echo "error: $PGDATA is not empty and contains no database; give the node an empty volume" >&2
        exit 1
    fi
    # PID 1 ignores signals without a trap, and bash runs a trap only between foreground commands; hence `& wait`.
    trap 'exit 143' INT TERM
    if [[ $HCE_NODE_ROLE == worker && -n $HCE_COORDINATOR ]]; then
        wait_for_coordinator
    fi
    (PGDATA=$PGDATA.new make_data_folder "$@") & wait $!
    trap - INT TERM
    sync
    rm -rf "$PGDATA"
    mv "$PGDATA.new" "$PGDATA"
}

# A data directory that Patroni used has its configuration: with synchronous_standby_names, for example, every commit would
# wait for a standby that no longer exists.
leave_patroni() {
    if [[ -e $PGDATA/standby.signal ]]; then
        echo "error: $PGDATA is that of a standby, which may lack the newest data. Install with ha.enabled=true, make the" \
            "first member of each group the leader (pyhce switchover), then set ha.enabled=false" >&2
        exit 1
    fi
    if [[ -s $PGDATA/postgresql.base.conf ]]; then
        mv "$PGDATA/postgresql.base.conf" "$PGDATA/postgresql.conf"
        rm -f "$PGDATA/patroni.dynamic.json"
        # The standbys' replication slots would keep WAL for ever.
        rm -rf "$PGDATA"/pg_replslot/citus_coordinator_* "$PGDATA"/pg_replslot/citus_worker_*
    fi
}

case $1 in
patroni)
    shift
    exec /opt/patroni/bin/hce-patroni "$@"
    ;;
create)
    shift
    create_data_folder postgres "$@"
    exit
    ;;
postgres)
    if [[ ! -s $PGDATA/PG_VERSION ]]; then
        create_data_folder "$@"
    fi
    leave_patroni
    ;;
esac
exec docker-entrypoint.sh "$@"
