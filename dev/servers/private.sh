# shellcheck shell=bash disable=SC2154  # $root, $target, $services_folder and the like are set by dev/services.
# What private instances of both servers have in common: a folder, a free port, processes that are surely ours.
# A private instance holds nothing that is worth keeping: whatever is left of a crashed one is thrown away.

# private_folder NAME: where the private instance NAME lives, or nothing.
private_folder() {
    [[ -d $services_folder/$1 ]] && (cd -P "$services_folder/$1" && pwd)
}

# create_private_folder NAME OWNER: makes the folder, empty and enterable by OWNER, and prints its path.
# Below target/ if that works; else below /var/tmp, with a link to it from where it would have been.
create_private_folder() {
    local folder=$services_folder/$1 pattern='^[A-Za-z0-9/._-]+$'
    mkdir -p "$folder"
    chown "$2" "$folder"
    chmod 700 "$folder"
    # The servers' own start scripts do not survive blanks in a path.
    if ! [[ $folder =~ $pattern ]] || ! as_user "$2" test -w "$folder" -a -x "$folder"; then
        rmdir "$folder"
        folder=$(mktemp -d "/var/tmp/killfleet-$1.XXXXXX")
        chown "$2" "$folder"
        ln -s "$folder" "$services_folder/$1"
        say "$services_folder is no place for a server of user $2: $1 lives in $folder"
    fi
    printf '%s\n' "$folder"
}

# remove_private_folder NAME: the folder, and the link to it if it is elsewhere.
remove_private_folder() {
    local folder
    folder=$(private_folder "$1") && rm -rf -- "$folder"
    rm -rf -- "${services_folder:?}/$1"
}

# as_user NAME COMMAND…: runs the command as that user, which costs nothing for the one we are.
as_user() {
    local user=$1
    shift
    if [[ $user == "$(id -un)" ]]; then
        "$@"
    else
        setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --init-groups -- "$@"
    fi
}

# free_port: a port of 127.0.0.1 that nothing listens on. Another program can take it before our server does;
# so a start is tried more than once.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# runs PID WORDS: true while the process lives and its command line holds WORDS. A number read from a file of
# yesterday can belong to somebody else's process today.
runs() {
    local command_line
    [[ $1 =~ ^[0-9]+$ ]] || return 1
    if [[ -d /proc/self ]]; then
        command_line=$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline") || return 1
    else
        command_line=$(ps -o command= -p "$1") || return 1
    fi
    [[ $command_line == *"$2"* ]]
}

# stop_process PID WORDS SIGNAL: ends the process if it is ours (see `runs`), by force after 20 seconds.
stop_process() {
    local waited=0
    while runs "$1" "$2"; do
        case $waited in
            0) kill -s "$3" "$1" 2>/dev/null || true ;;
            200) kill -s KILL "$1" 2>/dev/null || true ;;
            300) say "process $1 cannot be ended" && return 1 ;;
        esac
        waited=$((waited + 1))
        sleep 0.1
    done
}

# first_line FILE: the first line, or nothing where there is no such file.
first_line() {
    local line=''
    [[ ! -r $1 ]] || IFS= read -r line <"$1" || true
    printf '%s' "$line"
}
