#!/bin/sh
# /usr/local/bin/nfc-kiosk-browser: shows the kiosk's touch screen in Chromium, and starts it again whenever it ends.
# The session of the browser's user runs it. Its arguments are options of Chromium.
config=${KIOSK_CONFIG:-/etc/nfc-kiosk/config.toml}
kiosk=${KIOSK_PROGRAM:-/opt/nfc-kiosk/.venv/bin/kiosk}

# A new profile in memory for each start: nothing of a person reaches the disk, and no tabs wait to be restored.
profiles=$(mktemp -d "${XDG_RUNTIME_DIR:-/dev/shm}/nfc-kiosk-browser.XXXXXX") || exit 1

while :; do
    # Here and not after the browser: parts of one that crashed may still write into their profile for a moment.
    rm -rf "$profiles"/*
    # A URL opens the page once, so each start needs another one. Without a daemon there is none: the loop asks again.
    if url=$("$kiosk" page-url --config "$config"); then
        profile=$(mktemp -d "$profiles/XXXXXX")
        chromium --kiosk --incognito --no-first-run --user-data-dir="$profile" "$@" "$url"
    fi
    sleep 2
done
