#!/usr/bin/env bash
# Builds the firmware and runs it on an emulated board, against programs on this machine's loopback.
#
#   run.sh [netcheck]...        all of them without an argument
#
# Needs: qemu-system-arm, python3, and a Rust compiler for thumbv7m-none-eabi (with rustup, or from
# Debian: see tools/embedded/toolchain.sh). What is missing is named, and installed only when this runs
# as root on a Debian system; each installation is announced.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"
source ../../tools/embedded/toolchain.sh

target=thumbv7m-none-eabi
embedded_need qemu-system-arm qemu-system-arm
embedded_need python3 python3
embedded_toolchain "$target"
embedded_cargo "$target" build --quiet --release --locked
programs=${CARGO_TARGET_DIR:-$here/target}/$target/release

# The board and its network alone: echoes both ways, also over a cable that loses one frame in twenty.
run_netcheck() {
    ./netcheck.py "$programs/netcheck" 0
    ./netcheck.py "$programs/netcheck" 5
}

[ $# -gt 0 ] || set -- netcheck
for program in "$@"; do
    "run_$program"
    echo "$program: passed"
done
