#!/usr/bin/env bash
# Runs the tests that need an object store: each starts one of its own on a free port, and ends it. What is given besides goes to
# `cargo test`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/s3s-fs.sh
cargo test --locked --package dubhook-s3-tests "$@"
