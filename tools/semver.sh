#!/usr/bin/env bash
# Compares the public API with that of the newest version that was tagged: what breaks users needs a new version that says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! tag=$(git describe --tags --match 'v[0-9]*' --abbrev=0 2>/dev/null); then
    echo "not compared: there is no tag of a version (v*) that this is built on, so nobody depends on one"
    exit
fi
command -v cargo-semver-checks >/dev/null || cargo install --locked cargo-semver-checks
cargo semver-checks --baseline-rev "$tag" -p dubhook-core -p dubhook-smol
