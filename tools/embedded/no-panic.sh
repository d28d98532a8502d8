#!/usr/bin/env bash
# Proves that no panic can be reached from the core's functions that take bytes from outside: links
# `tests/no-panic`, which cannot be linked otherwise. Names the places where it fails.
#
# Built at opt-level "s": whether a panic can be reached does not depend on the optimiser, but whether it
# sees that none can does, and at "z" it keeps some checks out of line that it sees through at "s".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../tests/no-panic"
source ../../tools/embedded/toolchain.sh

target=thumbv7m-none-eabi
embedded_toolchain "$target"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# links FEATURES: whether the program links; any other failure ends the script.
links() {
    if embedded_cargo "$target" build --quiet --release --locked --features "$1" 2>"$log"; then
        return 0
    fi
    if ! grep -q 'undefined symbol: panic_path_left' "$log"; then
        cat "$log" >&2
        exit 1
    fi
    return 1
}

if ! links ''; then
    echo "panic paths are left in the core:" >&2
    embedded_need python3 python3
    embedded_need llvm-objdump llvm
    links allow
    ../../tools/embedded/panic_paths.py "${CARGO_TARGET_DIR:-target}/$target/release/dubhook-no-panic" >&2
    exit 1
fi
# A gate that would let everything through is worth nothing, so it is shown one path that it must refuse.
if links planted; then
    echo "the gate did not notice a planted panic" >&2
    exit 1
fi
echo "no panic path is left in the core; a planted one is noticed"
