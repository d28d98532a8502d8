#!/usr/bin/env bash
# Proves that no panic can be reached from the core's functions that take bytes from outside: links
# `tests/no-panic`, which cannot be linked otherwise. Names the places where it fails.
#
# Twice: at opt-level "s", and as the firmware is built. Whether a panic can be reached does not depend on the optimiser, but
# whether it sees that none can does: at a plain "z" it keeps checks out of line, in copies and in Base64, that it sees
# through otherwise.
#
#   no-panic.sh                     proves it
#   no-panic.sh --overflow-checks   names the places that panic where the core is built with overflow checks
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../tests/no-panic"
source ../../tools/embedded/toolchain.sh

target=thumbv7m-none-eabi
embedded_toolchain "$target"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# links FEATURES ARGUMENT...: whether the program links; any other failure ends the script.
links() {
    if embedded_cargo "$target" build --quiet --release --locked --features "$@" 2>"$log"; then
        return 0
    fi
    if ! grep -q 'undefined symbol: panic_path_left' "$log"; then
        cat "$log" >&2
        exit 1
    fi
    return 1
}

# gate WHAT ARGUMENT...: fails unless the program links, and if a path that it must refuse does not stop it: a gate that would
# let everything through is worth nothing.
gate() {
    local what=$1
    shift
    if ! links '' "$@"; then
        echo "panic paths are left in the core, built $what:" >&2
        embedded_need python3 python3
        embedded_need llvm-objdump llvm
        links allow "$@"
        ../../tools/embedded/panic_paths.py "${CARGO_TARGET_DIR:-target}/$target/release/dubhook-no-panic" >&2
        exit 1
    fi
    if links planted "$@"; then
        echo "the gate did not notice a planted panic, built $what" >&2
        exit 1
    fi
}

if [ "${1:-}" = --overflow-checks ]; then
    export CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
    embedded_need python3 python3
    embedded_need llvm-objdump llvm
    links allow
    ../../tools/embedded/panic_paths.py "${CARGO_TARGET_DIR:-target}/$target/release/dubhook-no-panic" || true
    exit
fi
gate 'at opt-level "s"'
export CARGO_PROFILE_RELEASE_OPT_LEVEL=z
gate 'as the firmware is' --config "$EMBEDDED_FIRMWARE"
echo "no panic path is left in the core, at opt-level \"s\" and as the firmware is built; a planted one is noticed"
