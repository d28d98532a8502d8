#!/usr/bin/env bash
# Installs PostgreSQL and PgBouncer, and runs the tests that need one: each makes clusters of its own in temporary folders, and ends them. What
# is given besides goes to `cargo test`. It fails where there is none of them; it never passes anything over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/apt.sh

# The server's programs lie outside of PATH.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || { command -v pg_config >/dev/null && [ -x "$(pg_config --bindir)/initdb" ]; } ||
    apt_install --no-install-recommends postgresql
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || apt_install --no-install-recommends pgbouncer
# Most of what they do is to wait until a lease ends.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-4} cargo test --locked --package dubhook-postgres-tests "$@"
