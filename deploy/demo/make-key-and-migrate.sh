#!/usr/bin/env bash
# Makes the key that seals the demo's tokens, if there is none yet, and prepares the demo's database.
set -euo pipefail
umask 077

if [[ ! -s $KILLFLEET_TOKEN_KEY_FILE ]]; then
    printf 'demo:%s\n' "$(head -c 32 /dev/urandom | base64)" > "$KILLFLEET_TOKEN_KEY_FILE"
fi
exec killfleet migrate
