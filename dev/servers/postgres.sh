# shellcheck shell=bash disable=SC2154  # $root, $target, $services_folder and the like are set by dev/services.
# PostgreSQL as `dev/services` knows it: each step of the search that concerns it. A step sets `url` and succeeds,
# or says why not and fails.

# postgres_answers URL: is there a server that lets us in and lets us create databases? Says why not.
postgres_answers() {
    local question="do \$\$ begin if not (select rolcreatedb or rolsuper from pg_roles where rolname = current_user)
        then raise exception 'this role may not create databases'; end if; end \$\$"
    KILLFLEET_QUERY_URL=$1 timeout 15 "$servers_folder/postgres-query" "$question" 2>&1 && return
    # 124 is said by `timeout`, after which nobody else says anything.
    (($? != 124)) || echo 'no answer within 15 seconds'
    return 1
}

postgres_from_environment() {
    local why
    [[ -n ${KILLFLEET_TEST_DATABASE_URL:-} ]] || return 1
    url=$KILLFLEET_TEST_DATABASE_URL
    why=$(postgres_answers "$url") || give_up "KILLFLEET_TEST_DATABASE_URL is set, but cannot be used: $why"
}

postgres_from_default() {
    local user why password=''
    local port=${default_ports%,*}
    [[ -z ${PGPASSWORD:-} ]] || password=:$(percent_encode "$PGPASSWORD")
    for user in ${PGUSER:-postgres "$(id -un)"}; do
        url="postgres://$(percent_encode "$user")$password@127.0.0.1:$port/postgres"
        why=$(postgres_answers "$url") && return 0
        [[ $why != 'nothing listens'* ]] || return 1
        say "PostgreSQL on port $port is not used: $why"
    done
    return 1
}

# postgres_programs: the folder of initdb and postgres, the newest where there are several.
postgres_programs() {
    local folder initdb
    folder=$(for initdb in /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb; do
        [[ ! -x $initdb ]] || dirname "$initdb"
    done | sort -V | tail -n 1)
    if [[ -n $folder ]]; then
        echo "$folder"
    else
        initdb=$(command -v initdb) && dirname "$(readlink -f "$initdb")"
    fi
}

# postgres_owner: who runs the private server. PostgreSQL refuses to run as root.
postgres_owner() {
    if [[ $(id -u) != 0 ]]; then
        id -un
    elif id -u postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

postgres_from_installed() {
    local folder programs owner port attempt
    if folder=$(private_folder postgres); then
        url="postgres://postgres@127.0.0.1:$(first_line "$folder/port")/postgres"
        if postgres_runs "$folder" && postgres_answers "$url" >/dev/null; then return 0; fi
        say 'a private PostgreSQL that does not run any more is cleared away'
        postgres_stop || return 1
    fi
    programs=$(postgres_programs) || return 1
    owner=$(postgres_owner)
    say 'starting a private PostgreSQL'
    for attempt in 1 2 3; do
        port=$(free_port)
        folder=$(create_private_folder postgres "$owner")
        url="postgres://postgres@127.0.0.1:$port/postgres"
        if postgres_start "$folder" "$programs" "$owner" "$port" && postgres_answers "$url" >&2; then return 0; fi
        say "the private PostgreSQL did not start (attempt $attempt of 3):"
        tail -n 15 "$folder"/*.log >&2 || true
        postgres_stop || return 1
    done
    return 1
}

# postgres_start FOLDER PROGRAMS OWNER PORT
# No unix socket: the path of one may have 107 bytes only. Nothing is synced to disk, because nothing is kept.
# A server that inherited our locks would hold them for ever, so it gets none of our descriptors.
postgres_start() (
    exec 8>&- 9>&-
    cd "$1" || return # The owner may be unable to enter the folder we were called in.
    echo "$4" >port
    as_user "$3" "$2/initdb" -D "$1/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
        </dev/null >initdb.log 2>&1 || return 1
    cat >>data/postgresql.conf <<-END
		port = $4
		listen_addresses = '127.0.0.1'
		unix_socket_directories = ''
		max_connections = 200
		fsync = off
		full_page_writes = off
		synchronous_commit = off
	END
    as_user "$3" touch "$1/server.log"
    as_user "$3" "$2/pg_ctl" start -w -t 60 -D "$1/data" -l "$1/server.log" </dev/null >pg_ctl.log 2>&1
)

postgres_runs() {
    runs "$(first_line "$1/data/postmaster.pid")" "$1"
}

postgres_stop() {
    local folder
    folder=$(private_folder postgres) || return 0
    # QUIT: at once, without a checkpoint of data that goes away with the folder.
    stop_process "$(first_line "$folder/data/postmaster.pid")" "$folder" QUIT || return 1
    remove_private_folder postgres
}
