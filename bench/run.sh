#!/usr/bin/env bash
# Measures dubhook beside its peers, all on this machine, and prints the figures as Markdown.
#
#   bench/run.sh [--quick] [--only ROW,…] [--rounds N] [--seconds S] [--write]
#
# The rows video_up and video_down alone, and those with records in a database (`--only shared`), are measured without building
# and installing what only the others need.
# --quick takes a minute or two and shows that everything works; figures worth keeping take about an hour and a machine that
# does nothing else. --write puts them into docs/performance.md. NO_INSTALL=1 installs nothing.
#
# Installed where missing: wrk, nginx, PostgreSQL, OpenSSL's headers and a C compiler by apt (as root); FastAPI and uvicorn by
# pip into an environment of their own. Everything that is built goes into cargo's target directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
built=$CARGO_TARGET_DIR/bench
mkdir -p "$built/load"

# What is measured, as far as it says what is needed for that.
alone=
for argument; do
    [[ $argument =~ ^(--only=)?video_(up|down)(,video_(up|down))?$ ]] && alone=video
    [[ $argument =~ ^(--only=)?shared(_[a-z]+)?(,shared(_[a-z]+)?)*$ ]] && alone=shared
done

if [ "$alone" = video ]; then
    [ -x /usr/sbin/nginx ] || { source tools/apt.sh; apt_install --no-install-recommends nginx-light; }
elif [ -z "${NO_INSTALL:-}" ]; then
    source tools/apt.sh
    missing=()
    [ -n "$alone" ] || command -v wrk >/dev/null || missing+=(wrk)
    [ -n "$alone" ] || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
    [ -e /usr/include/openssl/sha.h ] || missing+=(libssl-dev)
    command -v cc >/dev/null && command -v make >/dev/null || missing+=(gcc libc6-dev make)
    command -v taskset >/dev/null || missing+=(util-linux)
    if [ ${#missing[@]} -gt 0 ]; then
        echo "installing ${missing[*]}" >&2
        # The package would start a server of its own, were it not for this.
        policy=/usr/sbin/policy-rc.d
        [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
        apt_wait update
        apt_wait install -y --no-install-recommends "${missing[@]}"
    fi
    if [ -z "$alone" ] && [ ! -x "$built/venv/bin/uvicorn" ]; then
        echo "installing FastAPI and uvicorn into $built/venv" >&2
        python3 -m venv "$built/venv"
        "$built/venv/bin/pip" install --quiet --disable-pip-version-check -r bench/peers/requirements.txt
    fi
fi

echo "building dubhook, its peers and the measuring programs" >&2
cargo build --release --locked --quiet -p dubhook-smol
[ "$alone" != video ] || exec python3 bench/harness "$@"
[ -n "$alone" ] || CARGO_TARGET_DIR=$built/peers cargo build --release --locked --quiet --manifest-path bench/peers/Cargo.toml
make --silent -C bench/load OUT="$built/load"

exec python3 bench/harness "$@"
