# shellcheck shell=bash disable=SC2154  # $root, $target, $services_folder and the like are set by dev/services.
# The step that starts a server in a container, from dev/compose.services.yml. A project name of our own keeps it
# apart from the fleet of docker-compose.yml and from other checkouts.

postgres_from_docker() {
    local address
    address=$(start_container postgres 5432) || return 1
    url="postgres://postgres@$address/postgres"
    postgres_answers "$url" >&2
}

rabbitmq_from_docker() {
    local address
    address=$(start_container rabbitmq 5672) || return 1
    url="amqp://killfleet:killfleet@$address/%2f"
    rabbitmq_answers "$url" >&2
}

compose() {
    docker compose --project-name "killfleet-services-$(cksum <<<"$root" | cut -d ' ' -f 1)" \
        --file "$root/dev/compose.services.yml" "$@"
}

# start_container SERVICE PORT: prints the loopback address behind which the port can be reached.
start_container() {
    command -v docker >/dev/null || return 1
    if ! timeout 20 docker info >/dev/null 2>&1; then
        say 'docker is installed, but its engine does not answer'
        return 1
    elif ! docker compose version >/dev/null 2>&1; then
        say 'docker is installed, but not its compose plugin'
        return 1
    fi
    say "starting $1 with docker compose"
    touch "$services_folder/docker"
    compose up --detach --wait "$1" >&2 </dev/null 8>&- 9>&- && compose port "$1" "$2"
}

containers_stop() {
    [[ -e $services_folder/docker ]] || return 0
    compose down --volumes >&2 </dev/null && rm -f "$services_folder/docker"
}
