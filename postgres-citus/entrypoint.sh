#!/usr/bin/env bash
# First start: a worker waits for its coordinator, and the data folder is made aside and gets its name when it is
# whole, so that a kill amid it leaves nothing half made. Every later start goes straight to the official entrypoint.
# The functions are the official entrypoint's, which may be sourced (docker-library/postgres#496).
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
        echo "error: $PGDATA is not empty and holds no database; give the node an empty volume" >&2
        exit 1
    fi
    trap 'exit 143' INT TERM # PID 1 hears no signal without a trap, and none while something runs in the foreground
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
