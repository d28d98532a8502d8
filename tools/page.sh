#!/usr/bin/env bash
# Uses the page in a real browser, as people do: hands a video in, over a connection that breaks, watches what comes of it, with a
# key and without, by keyboard alone, on a wide screen and on a narrow one. Fails where anything is not as it must be.
#
#   tools/page.sh [FOLDER]       puts pictures of what was seen into FOLDER
#
# Installs chromium and ffmpeg by apt where they are missing, and an object store from the Rust registry. The translator is examples/dub-video where that is installed, else a
# program that copies. DUBHOOK names the program; it is built where that is not set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/apt.sh
command -v chromium >/dev/null || apt_install chromium
command -v ffprobe >/dev/null || apt_install ffmpeg
command -v python3 >/dev/null || apt_install python3
if [ -z "${DUBHOOK:-}" ]; then
    cargo build --locked --quiet -p dubhook-smol
    DUBHOOK=${CARGO_TARGET_DIR:-$PWD/target}/debug/dubhook
fi
source tools/s3s-fs.sh
# All of it is on this machine.
export no_proxy='*' NO_PROXY='*'
DUBHOOK=$DUBHOOK exec python3 tools/page "$@"
