#!/usr/bin/env bash
# Holds the oldest compiler that Cargo.toml names, its `rust-version`: no dependency may want a newer one, and where that
# compiler is installed, everything that others depend on is built with it. (Clippy's `incompatible_msrv` says in the step for
# lints what of the standard library is newer.)
#
#   msrv.sh             builds if it can, and says if it cannot
#   msrv.sh --build     fails if it cannot
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(cargo metadata --format-version 1 --locked --all-features | python3 -c '
import json, sys
parts = lambda text: tuple(int(part) for part in (text + ".0.0").split(".")[:3])
packages = json.load(sys.stdin)["packages"]
ours = next(p["rust_version"] for p in packages if p["name"] == "dubhook-core")
late = [p for p in packages if parts(p["rust_version"] or "1") > parts(ours)]
for package in late:
    print(package["name"], package["version"], "wants Rust", package["rust_version"], file=sys.stderr)
print(ours)
sys.exit(bool(late))')
echo "no dependency wants a newer Rust than $version"

# The active compiler may be that one, and rustup may have it.
cargo=()
if [[ $(rustc --version) == "rustc $version"* ]]; then
    cargo=(cargo)
elif rustup toolchain list 2>/dev/null | grep -q "^$version"; then
    cargo=(cargo "+$version")
elif [ "${1:-}" = --build ]; then
    echo "Rust $version is not installed" >&2
    exit 1
else
    echo "not built with Rust $version: it is not installed here (rustup toolchain install $version)"
    exit
fi
"${cargo[@]}" check --locked --quiet -p dubhook-core -p dubhook-smol -p dubhook-examples --all-features
echo "built with Rust $version"
