#!/usr/bin/env bash
# Installs an object store, and runs the tests that need one: each starts one of its own on a free port, and ends it. What is given
# besides goes to `cargo test`. It brings tokio, so it is a program of its own and no dependency of anything here. Where one is
# installed already, S3S_FS names it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.14.1
if [ -z "${S3S_FS:-}" ]; then
    place=${CARGO_TARGET_DIR:-$PWD/target}/s3s-fs-$version
    [ -x "$place/bin/s3s-fs" ] || cargo install --quiet --locked --debug --root "$place" --version "$version" --features binary s3s-fs
    export S3S_FS=$place/bin/s3s-fs
fi
cargo test --locked --package dubhook-s3-tests "$@"
