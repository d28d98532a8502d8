#!/usr/bin/env bash
# Uploads with a client of tus 1.0 that is somebody else's: whole, in pieces, broken off by a kill of the server, and given up. Fails
# where anything is not as tus says.
#
# The client is installed into an environment of its own. DUBHOOK names the program; it is built where that is not set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/apt.sh
folder=${CARGO_TARGET_DIR:-$PWD/target}/tus
if [ ! -e "$folder/installed" ]; then
    echo "installing tuspy into $folder" >&2
    python3 -c 'import ensurepip' 2>/dev/null || apt_install --no-install-recommends python3 python3-venv
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement tools/tus.requirements.txt
    touch "$folder/installed"
fi
if [ -z "${DUBHOOK:-}" ]; then
    cargo build --locked --quiet -p dubhook-smol
    DUBHOOK=${CARGO_TARGET_DIR:-$PWD/target}/debug/dubhook
fi
# All of it is on this machine.
export no_proxy='*' NO_PROXY='*'
DUBHOOK=$DUBHOOK exec "$folder/bin/python" tools/tus.py
