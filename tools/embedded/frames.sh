#!/usr/bin/env bash
# Measures the stack that the core takes on a Cortex-M3, at the firmware's opt-level: the largest frames,
# the deepest path, and that no function can come to call itself, be it
# through a trait object or a pointer to a function. Fails past the bounds below.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../tests/no-panic"
source ../../tools/embedded/toolchain.sh

frame_bytes_max=1024
path_bytes_max=3072

target=thumbv7m-none-eabi
embedded_toolchain "$target"
embedded_need python3 python3
embedded_need llvm-readobj llvm

# Noting stack sizes is unstable, and other flags mean another build: it has a folder of its own. Code is not outlined there:
# pieces that the outliner takes out of several functions keep no calling convention, so no register could be followed through
# them. Each takes a return address of stack at most.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zemit-stack-sizes -Cllvm-args=-enable-machine-outliner=never" CARGO_PROFILE_RELEASE_OPT_LEVEL=z
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/frames
program=$CARGO_TARGET_DIR/$target/release/dubhook-no-panic

build() {
    embedded_cargo "$target" build --quiet --release --locked --features "$1"
}

# The frame of whoever makes a machine holds the machine itself, so those two are put aside.
measure() {
    ../../tools/embedded/frames.py "$program" --start start --own dubhook_no_panic:: \
        --frame-max "$frame_bytes_max" --path-max "$path_bytes_max" \
        --aside dubhook_no_panic::machine::server_new --aside dubhook_no_panic::client::client_new
}

# A planted function that calls itself must be noticed.
build allow,planted
if measure >/dev/null 2>"$program.planted" ||
    ! grep -q '^recursion: dubhook_no_panic::planted::count_down$' "$program.planted"; then
    echo "a planted recursion was not noticed" >&2
    exit 1
fi
build allow
measure
