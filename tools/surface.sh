#!/usr/bin/env bash
# Counts the public types of `dubhook-core`, with all its features, and fails if there are more than the product has use for.
#
#   surface.sh             counts
#   surface.sh --unused    also says what is public and needed by nobody in this repository outside the core
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

types_max=202

unused=()
[ "${1:-}" != --unused ] || unused=(--unused core/src .)

RUSTDOC=$PWD/tools/rustdoc-json cargo doc --quiet --locked --no-deps --package dubhook-core --all-features
tools/surface.py "${CARGO_TARGET_DIR:-target}/doc/dubhook_core.json" --types-max "$types_max" "${unused[@]}"
