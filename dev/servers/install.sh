# shellcheck shell=bash disable=SC2154  # $root, $target, $services_folder and the like are set by dev/services.
# The step that installs a server with apt: on Debian and its relatives, as root, and without starting anything
# of the system's or making a database cluster that nobody asked for.

postgres_from_apt() {
    install_with_apt postgresql && postgres_from_installed
}

rabbitmq_from_apt() {
    install_with_apt rabbitmq-server && rabbitmq_from_installed
}

# install_with_apt PACKAGE: in a subshell, so that its trap takes back what it lays down for the time of the installation.
install_with_apt() (
    [[ $(id -u) == 0 && -e /etc/debian_version ]] && command -v apt-get >/dev/null || return 1
    say "installing $1 with apt (the log is target/services-apt.log)"
    # shellcheck disable=SC2030  # Meant for this subshell and what it calls.
    laid_down=()
    trap 'rm -f -- ${laid_down[@]+"${laid_down[@]}"}' EXIT
    trap 'exit 1' INT TERM
    # 101 means "not allowed": no package starts or restarts a service while this is there.
    lay_down /usr/sbin/policy-rc.d $'#!/bin/sh\nexit 101'
    lay_down /etc/postgresql-common/createcluster.d/killfleet.conf 'create_main_cluster = false'
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get update -q -o Acquire::Retries=1 -o Acquire::http::Timeout=20
        apt-get install -q -y --no-install-recommends --no-upgrade "$1"
    } </dev/null >"$target/services-apt.log" 2>&1 8>&- 9>&- && return 0
    say "apt could not install $1:"
    tail -n 5 "$target/services-apt.log" >&2
    return 1
)

# lay_down FILE TEXT: writes an executable file, unless the machine's owner has one there already.
lay_down() {
    [[ ! -e $1 ]] || return 0
    mkdir -p "$(dirname "$1")"
    # shellcheck disable=SC2031
    laid_down+=("$1")
    printf '%s\n' "$2" >"$1"
    chmod 755 "$1"
}
