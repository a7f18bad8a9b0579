#!/usr/bin/env bash
# On the first start, a worker waits for its coordinator. The data directory is created under another name and renamed when
# it is complete, so that a kill leaves no half-made directory. Every later start runs the official entrypoint at once.
# The docker_… functions come from the official entrypoint, which supports being sourced (docker-library/postgres#496).
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

if [[ $1 == postgres && ! -s $PGDATA/PG_VERSION ]]; then
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
fi
exec docker-entrypoint.sh "$@"
