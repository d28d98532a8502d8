#!/usr/bin/env bash
# Builds the firmware and runs it on an emulated board, against programs on this machine's loopback.
#
#   run.sh [netcheck|kiosk|lamp|door]...     all of them without an argument
#
# Needs: qemu-system-arm, python3, curl, the program `dubhook` (DUBHOOK=PATH, or built here), and a Rust compiler for thumbv7m-none-eabi (with rustup, or from
# Debian: see tools/embedded/toolchain.sh). What is missing is named, and installed only when this runs
# as root on a Debian system; each installation is announced.
set -euo pipefail
DUBHOOK=${DUBHOOK:+$(realpath "$DUBHOOK")}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"
source ../../tools/embedded/toolchain.sh

target=thumbv7m-none-eabi
embedded_need qemu-system-arm qemu-system-arm
embedded_need python3 python3
embedded_need curl curl
embedded_toolchain "$target"
embedded_cargo "$target" build --quiet --release --locked
programs=${CARGO_TARGET_DIR:-$here/target}/$target/release

if [ -z "$DUBHOOK" ]; then
    (cd ../.. && cargo build --quiet --release --locked -p dubhook-smol)
    DUBHOOK=$(realpath "${CARGO_TARGET_DIR:-../../target}/release/dubhook")
fi

# The board and its network alone: echoes both ways, also over a cable that loses one frame in twenty.
run_netcheck() {
    ./netcheck.py "$programs/netcheck" 0
    ./netcheck.py "$programs/netcheck" 5
}

# The server on the board: `curl` submits, `dubhook listen` is told, and the plug is pulled twice.
run_kiosk() {
    ./kiosk.py "$programs/kiosk" "$DUBHOOK" 0
    ./kiosk.py "$programs/kiosk" "$DUBHOOK" 5
}

# The client on the board, told by `dubhook serve`, which is killed and begun anew.
run_lamp() {
    ./lamp.py "$programs/lamp" "$DUBHOOK" 0
    ./lamp.py "$programs/lamp" "$DUBHOOK" 5
}

# The event library on the board: a door tells two receivers, of which one is not there for a while.
run_door() {
    ./door.py "$programs/door" "$DUBHOOK" 0
    ./door.py "$programs/door" "$DUBHOOK" 5
}

# All of it is on this machine.
export no_proxy='*' NO_PROXY='*'
[ $# -gt 0 ] || set -- netcheck kiosk lamp door
for program in "$@"; do
    "run_$program"
    echo "$program: passed"
done
