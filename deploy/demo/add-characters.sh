#!/usr/bin/env bash
# Adds every character that has signed in at the simulator to the fleet: add-characters.sh URL
# The refresh token goes from pipe to pipe, so that no list of processes shows it.
set -euo pipefail

esi-sim characters --url "$1" | while IFS=$'\t' read -r character_id name refresh_token; do
    if [[ -n $refresh_token ]]; then
        printf '%s\n' "$refresh_token" | killfleet character add --character-id "$character_id" --name "$name"
    fi
done
