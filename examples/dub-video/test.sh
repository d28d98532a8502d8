#!/bin/sh
# Tests the translator program: first what needs nothing but Python, then the whole of it on the real sample.
#
#   ./test.sh          both; needs ./install.sh first, and fails without it
#   ./test.sh --unit   only the first
set -eu
cd -- "$(dirname -- "$0")"
if [ "${1:-}" = --unit ]; then
    exec python3 -m unittest -v test_units
fi
python="${DUB_VENV:-.venv}/bin/python"
if [ ! -x "$python" ]; then
    echo "The dubbing tools are not installed: run $(pwd)/install.sh first, or set DUB_VENV." >&2
    exit 1
fi
exec "$python" -m unittest -v test_units test_files test_real
