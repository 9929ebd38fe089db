# shellcheck shell=bash
# Takes a postgres:// or amqp:// URL apart, for scripts that must not depend on Python, jq or psql.

# percent_decode TEXT: the text with its %XX escapes resolved, on standard output.
percent_decode() {
    local text=${1//\\/\\\\}
    printf '%b' "${text//%/\\x}"
}

# percent_encode TEXT: the text so that it may stand in any part of a URL.
percent_encode() {
    local LC_ALL=C text=$1 encoded='' character index
    for ((index = 0; index < ${#text}; index++)); do
        character=${text:index:1}
        case $character in
            [a-zA-Z0-9._~-]) encoded+=$character ;;
            *) printf -v character '%%%02X' "'$character" && encoded+=$character ;;
        esac
    done
    printf '%s' "$encoded"
}

# split_url URL DEFAULT_PORT: sets url_scheme, url_user, url_password (decoded), url_host, url_port,
# url_path (as written, with its leading slash) and url_without_password (fit to be shown). Fails on what is no URL.
# shellcheck disable=SC2034  # The variables are this function's answer.
split_url() {
    local pattern='^([a-z]+)://(([^@/?]*)@)?(\[[0-9a-fA-F:.]+\]|[^:/?#]+)(:([0-9]+))?(/[^?#]*)?(\?.*)?$'
    [[ $1 =~ $pattern ]] || return 1
    local login=${BASH_REMATCH[3]} port=${BASH_REMATCH[5]} query=${BASH_REMATCH[8]}
    url_scheme=${BASH_REMATCH[1]}
    url_host=${BASH_REMATCH[4]}
    url_port=${BASH_REMATCH[6]:-$2}
    url_path=${BASH_REMATCH[7]}
    url_user=$(percent_decode "${login%%:*}")
    url_password=''
    [[ $login != *:* ]] || url_password=$(percent_decode "${login#*:}")
    url_without_password="$url_scheme://${login:+${login%%:*}@}$url_host$port$url_path$query"
    url_host=${url_host#[}
    url_host=${url_host%]}
}
