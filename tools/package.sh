#!/usr/bin/env bash
# Packs both crates as they would be published, builds each from its package alone, and tries the publishing. A warning is a
# failure. Nothing is uploaded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

crates=(-p dubhook-core -p dubhook-smol)
said=$(mktemp)
trap 'rm -f "$said"' EXIT
quietly() {
    # An upload that is only tried is said to be one, in a warning.
    if ! "$@" 2>"$said" || grep '^warning' "$said" | grep -qv '^warning: aborting upload due to dry run'; then
        cat "$said" >&2
        return 1
    fi
}

# What is not committed yet may be packed, too.
quietly cargo package "${crates[@]}" --locked --allow-dirty
quietly cargo publish "${crates[@]}" --locked --allow-dirty --dry-run --no-verify
for crate in dubhook-core dubhook-smol; do
    files=$(cargo package -p "$crate" --list --allow-dirty)
    for file in README.md LICENSE-MIT LICENSE-APACHE Cargo.toml; do
        grep -qx "$file" <<<"$files" || { echo "$crate is packed without $file" >&2; exit 1; }
    done
    echo "$crate: packed, built from its package, and ready to be published"
done
