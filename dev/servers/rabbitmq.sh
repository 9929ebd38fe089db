# shellcheck shell=bash disable=SC2154  # $root, $target, $services_folder and the like are set by dev/services.
# RabbitMQ as `dev/services` knows it: each step of the search that concerns it. A step sets `url` and succeeds,
# or says why not and fails.

# rabbitmq_answers URL: is there a server that lets us in? Says why not.
rabbitmq_answers() {
    KILLFLEET_LOGIN_URL=$1 timeout 15 "$servers_folder/amqp-login" 2>&1 && return
    # 124 is said by `timeout`, after which nobody else says anything.
    (($? != 124)) || echo 'no answer within 15 seconds'
    return 1
}

rabbitmq_from_environment() {
    local why
    [[ -n ${KILLFLEET_TEST_AMQP_URL:-} ]] || return 1
    url=$KILLFLEET_TEST_AMQP_URL
    why=$(rabbitmq_answers "$url") || give_up "KILLFLEET_TEST_AMQP_URL is set, but cannot be used: $why"
}

rabbitmq_from_default() {
    local why
    local port=${default_ports#*,}
    url="amqp://guest:guest@127.0.0.1:$port/%2f"
    why=$(rabbitmq_answers "$url") && return 0
    [[ $why == 'nothing listens'* ]] || say "RabbitMQ on port $port is not used: $why"
    return 1
}

# rabbitmq_program: the start script itself. Debian's /usr/sbin/rabbitmq-server is a wrapper that insists on
# the system's user, folder and port.
rabbitmq_program() {
    local program
    command -v erl >/dev/null || return 1
    for program in /usr/lib/rabbitmq/bin/rabbitmq-server /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server \
        "$(command -v rabbitmq-server || true)"; do
        # What marks the script itself is that it reads the defaults of rabbitmq-env.
        if [[ -x $program ]] && grep -q rabbitmq-env "$program"; then
            echo "$program"
            return 0
        fi
    done
    return 1
}

# erlang_port_mapper: epmd, which tells Erlang nodes of one another. It is not always on the PATH.
erlang_port_mapper() {
    local root program
    command -v epmd && return 0
    root=$(erl -boot start_clean -noshell -eval 'io:put_chars(code:root_dir()), halt().' </dev/null)
    for program in "$root"/bin/epmd "$root"/erts-*/bin/epmd; do
        if [[ -x $program ]]; then
            echo "$program"
            return 0
        fi
    done
    return 1
}

rabbitmq_from_installed() {
    local folder program mapper port attempt
    if folder=$(private_folder rabbitmq); then
        url="amqp://guest:guest@127.0.0.1:$(first_line "$folder/port")/%2f"
        if rabbitmq_runs "$folder" && rabbitmq_answers "$url" >/dev/null; then return 0; fi
        say 'a private RabbitMQ that does not run any more is cleared away'
        rabbitmq_stop || return 1
    fi
    program=$(rabbitmq_program) && mapper=$(erlang_port_mapper) || return 1
    say 'starting a private RabbitMQ'
    for attempt in 1 2 3; do
        port=$(free_port)
        folder=$(create_private_folder rabbitmq "$(id -un)")
        url="amqp://guest:guest@127.0.0.1:$port/%2f"
        rabbitmq_start "$folder" "$program" "$mapper" "$port"
        if rabbitmq_becomes_ready "$folder" "$url"; then return 0; fi
        say "the private RabbitMQ did not start (attempt $attempt of 3):"
        tail -n 15 "$folder/server.log" >&2 || true
        rabbitmq_stop || return 1
    done
    return 1
}

# rabbitmq_start FOLDER PROGRAM MAPPER PORT
# The node has its own epmd, in the foreground, so that its number is known and the machine's own is left alone.
# Each gets a session of its own: Ctrl-C in the terminal must not end a server that is still needed for cleaning up.
rabbitmq_start() (
    exec 8>&- 9>&-
    cd "$1" || return
    local mapper_port
    mapper_port=$(free_port)
    echo "$4" >port
    echo "$mapper_port" >epmd.port
    free_port >distribution.port
    echo '[].' >enabled_plugins
    : >empty.conf
    cat >rabbitmq.conf <<-END
		listeners.tcp.1 = 127.0.0.1:$4
		disk_free_limit.absolute = 50MB
		log.console = true
	END
    setsid "$3" -port "$mapper_port" -address 127.0.0.1 </dev/null >epmd.log 2>&1 &
    echo $! >epmd.pid
    rabbitmq_launch "$1" "$2"
)

# rabbitmq_launch FOLDER PROGRAM: the node itself, for the first time or again.
rabbitmq_launch() (
    cd "$1" || return
    # The flag -killfleet_folder means nothing to Erlang; by it we know the process as ours at every moment.
    rabbitmq_in "$1" setsid "$2" -killfleet_folder "$1" </dev/null >>server.log 2>&1 &
    echo $! >server.pid
)

# rabbitmq_in FOLDER COMMAND…: becomes a program of RabbitMQ that sees the private node and nothing else: nothing is
# taken from the machine's configuration or from the caller's environment (env -i).
# RUNNING_UNDER_SYSTEMD makes the start script become the server instead of waiting for it: one process to stop.
rabbitmq_in() {
    local folder=$1
    shift
    exec env -i PATH="$PATH" HOME="$folder" LC_ALL=C.UTF-8 \
        ERL_CRASH_DUMP_SECONDS=0 \
        ERL_EPMD_ADDRESS=127.0.0.1 \
        ERL_EPMD_PORT="$(first_line "$folder/epmd.port")" \
        RABBITMQ_ADVANCED_CONFIG_FILE="$folder/absent.config" \
        RABBITMQ_CONFIG_FILE="$folder/rabbitmq.conf" \
        RABBITMQ_CONF_ENV_FILE="$folder/empty.conf" \
        RABBITMQ_DIST_PORT="$(first_line "$folder/distribution.port")" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$folder/enabled_plugins" \
        RABBITMQ_GENERATED_CONFIG_DIR="$folder/generated" \
        RABBITMQ_LOG_BASE="$folder/log" \
        RABBITMQ_MNESIA_BASE="$folder/mnesia" \
        RABBITMQ_NODENAME=killfleet@localhost \
        RABBITMQ_PID_FILE="$folder/rabbitmq.pid" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        RUNNING_UNDER_SYSTEMD=true \
        "$@"
}

# rabbitmq_becomes_ready FOLDER URL: waits up to a minute; a server that ended is not waited for.
rabbitmq_becomes_ready() {
    local waited pid
    pid=$(first_line "$1/server.pid")
    for ((waited = 0; waited < 300; waited++)); do
        if rabbitmq_answers "$2" >/dev/null; then return 0; fi
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}

rabbitmq_runs() {
    runs "$(first_line "$1/server.pid")" "$1"
}

rabbitmq_stop() {
    local folder
    folder=$(private_folder rabbitmq) || return 0
    stop_process "$(first_line "$folder/server.pid")" "$folder" TERM || return 1
    stop_process "$(first_line "$folder/epmd.pid")" "-port $(first_line "$folder/epmd.port")" TERM || return 1
    remove_private_folder rabbitmq
}
