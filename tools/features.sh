#!/usr/bin/env bash
# Sees that the core is whole with any of its features left out: none, each alone, all but each, and all, each alone, with
# `hub` and with `media`, without a warning; and that its tests build and pass with none and with all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What `default` has is what a device can leave out.
mapfile -t features < <(cargo metadata --no-deps --format-version 1 --locked | python3 -c '
import json, sys
core = next(p for p in json.load(sys.stdin)["packages"] if p["name"] == "dubhook-core")
print("\n".join(core["features"]["default"]))')
all=$(IFS=,; echo "${features[*]}")

sets=('')
for feature in "${features[@]}"; do
    others=()
    for other in "${features[@]}"; do
        [ "$other" = "$feature" ] || others+=("$other")
    done
    sets+=("$feature" "$(IFS=,; echo "${others[*]}")")
done
for set in "${sets[@]}"; do
    for hub in '' hub media; do
        cargo rustc --profile check --quiet --locked --package dubhook-core --lib --no-default-features \
            --features "$set,$hub" -- -D warnings || { echo "not with the features: ${set:-none} $hub" >&2; exit 1; }
    done
done
echo "the core builds with none, with each and without each of $all"

# With all of them and `media` the core is what the runtime's tests are built with. The examples in the documentation are of the
# whole.
cargo clippy --quiet --locked --package dubhook-core --all-targets --no-default-features --features media -- -D warnings
cargo test --quiet --locked --package dubhook-core --lib --tests --no-default-features
cargo test --quiet --locked --package dubhook-core
