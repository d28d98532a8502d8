#!/usr/bin/env bash
# The main job on a real video, through the real program: a server that runs `dub` for each job, a client that listens,
# and `dubhook translate --wait`. Then videos that cannot be dubbed. Fails where anything is not as it must be.
#
#   end_to_end.sh [LANGUAGE]       es without an argument
#
# Needs what install.sh installs. DUBHOOK names the program; it is built where that is not set.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
language=${1:-es}
sample=$root/tests/data/sample_en.mp4
if [ -z "${DUBHOOK:-}" ]; then
    (cd "$root" && cargo build --release --locked --quiet -p dubhook-smol)
    DUBHOOK=${CARGO_TARGET_DIR:-$root/target}/release/dubhook
fi

scratch=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT
fail() {
    echo "end_to_end: $*" >&2
    sed 's/^/  server: /' "$scratch/server.log" >&2
    exit 1
}

"$DUBHOOK" serve --in-memory --listen 127.0.0.1:0 --translator command --command "$here/dub" \
    --output "$scratch/dubbed" >"$scratch/server.out" 2>"$scratch/server.log" &
for _ in $(seq 100); do
    server=$(sed -n 's/^listening on //p' "$scratch/server.out")
    [ -z "$server" ] || break
    sleep 0.1
done
[ -n "${server:-}" ] || fail "the server does not listen"
export DUBHOOK_SERVER=$server

"$DUBHOOK" listen --port 0 --json >"$scratch/told.jsonl" 2>"$scratch/listen.log" &
for _ in $(seq 100); do
    grep -q 'told at' "$scratch/listen.log" && break
    sleep 0.1
done

"$DUBHOOK" translate "$sample" --to "$language" --reference sample --wait >"$scratch/translate.out" ||
    fail "translate --wait ended with exit code $?"
dubbed=$(find "$scratch/dubbed" -name "*.$language.mp4")
[ -n "$dubbed" ] || fail "no dubbed video was written"

duration() { ffprobe -v error -show_entries format=duration -of csv=p=0 "$1"; }
streams=$(ffprobe -v error -show_entries stream=codec_type -of csv=p=0 "$dubbed" | sort -u | tr '\n' ' ')
[ "$streams" = "audio subtitle video " ] || fail "the dubbed video has: $streams"
awk -v a="$(duration "$sample")" -v b="$(duration "$dubbed")" 'BEGIN { exit !(b > 0.9 * a && b < 1.1 * a) }' ||
    fail "the dubbed video lasts $(duration "$dubbed") s, the original $(duration "$sample") s"

sleep 1
for kind in pending processing progress completed; do
    grep -q "\"type\":\"translation.$kind\"" "$scratch/told.jsonl" || fail "the listener was not told translation.$kind"
done
grep '"type":"translation.completed"' "$scratch/told.jsonl" | grep -q "\"output_url\":\"file://$dubbed\"" ||
    fail "the listener was not told where the dubbed video is"
echo "sample_en.mp4 in $language: $(duration "$dubbed") s, told pending, processing, progress, completed"

# What cannot be dubbed ends as an error with a sentence that helps.
must_fail() {
    local code=0
    "$DUBHOOK" translate "$1" --to "$language" --wait >"$scratch/bad.out" 2>&1 || code=$?
    [ "$code" -eq 1 ] || fail "$2: exit code $code instead of 1"
    grep -q "$3" "$scratch/bad.out" || fail "$2: no helpful sentence in: $(cat "$scratch/bad.out")"
    echo "$2: $(grep -o "$3.*" "$scratch/bad.out" | head -1)"
}
echo "This is no video." >"$scratch/text.mp4"
ffmpeg -v error -f lavfi -i testsrc=d=2:s=160x120 -pix_fmt yuv420p "$scratch/silent.mp4"
must_fail "$scratch/text.mp4" "a text file" "not a video"
must_fail "$scratch/silent.mp4" "a video without sound" "no sound"
grep -c '"type":"translation.error"' "$scratch/told.jsonl" >/dev/null || fail "the listener was not told of the errors"
echo "end to end: passed"
