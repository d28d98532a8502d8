#!/usr/bin/env bash
# The main job on a real video, through the real program, over nothing but the API: the video goes up, a worker that has no disk
# in common with the server dubs it, and what comes of it is brought, with a client that listens. Then videos that cannot be
# dubbed. Fails where anything is not as it must be.
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
DUBHOOK=$(realpath "$DUBHOOK")
# All of it is on this machine.
export no_proxy='*' NO_PROXY='*'

scratch=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT
fail() {
    echo "end_to_end: $*" >&2
    sed 's/^/  server: /' "$scratch/server.log" >&2
    sed 's/^/  worker: /' "$scratch/worker.log" >&2
    exit 1
}

# wait_for WHAT COMMAND...: waits until a command succeeds, for as long as a busy machine may take.
wait_for() {
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "$what"
        sleep 0.1
    done
}

# The three share nothing but the API: the server, the worker and whoever asks are each in a folder of their own.
mkdir "$scratch"/{server,worker,here}
(cd "$scratch/server" && exec "$DUBHOOK" serve --listen 127.0.0.1:0 --data ./data --translator remote) \
    >"$scratch/server.out" 2>"$scratch/server.log" &
wait_for "the server does not listen" grep -qs '^listening on ' "$scratch/server.out"
server=$(sed -n 's/^listening on //p' "$scratch/server.out")
export DUBHOOK_SERVER=$server

# The program may read files of the worker's folder alone.
(cd "$scratch/worker" && DUB_FILES_UNDER=$scratch/worker exec "$DUBHOOK" work --exec "$here/dub" --output ./dubbed) \
    >"$scratch/worker.log" 2>&1 &

"$DUBHOOK" listen --port 0 --json >"$scratch/told.jsonl" 2>"$scratch/listen.log" &
wait_for "the listener does not register" grep -qs 'told at' "$scratch/listen.log"

cd "$scratch/here"
"$DUBHOOK" translate "$sample" --to "$language" --reference sample --wait --output ./brought >"$scratch/translate.out" ||
    fail "translate --wait ended with exit code $?"
dubbed=$(head -1 "$scratch/translate.out")
[[ $dubbed == *.$language.mp4 && -s $dubbed ]] || fail "no dubbed video was brought: $(cat "$scratch/translate.out")"

duration() { ffprobe -v error -show_entries format=duration -of csv=p=0 "$1"; }
streams=$(ffprobe -v error -show_entries stream=codec_type -of csv=p=0 "$dubbed" | sort -u | tr '\n' ' ')
[ "$streams" = "audio subtitle video " ] || fail "the dubbed video has: $streams"
awk -v a="$(duration "$sample")" -v b="$(duration "$dubbed")" 'BEGIN { exit !(b > 0.9 * a && b < 1.1 * a) }' ||
    fail "the dubbed video lasts $(duration "$dubbed") s, the original $(duration "$sample") s"

# spans FILE: when captions begin and end, in seconds, a line each.
spans() {
    awk '/-->/ {
        for (i = 1; i <= 3; i += 2) {
            n = split($i, part, ":"); s = 0
            for (k = 1; k <= n; k++) s = 60 * s + part[k]
            printf "%s%s", s, i == 1 ? " " : "\n"
        }
    }' "$1"
}
captions=$(sed -n 2p "$scratch/translate.out")
[[ $captions == *.$language.vtt && -s $captions ]] || fail "no subtitles were brought: $(cat "$scratch/translate.out")"
ffmpeg -v error -i "$dubbed" -map 0:s:1 "$scratch/original.vtt"
spans "$captions" >"$scratch/spans"
ffmpeg -v error -i "$dubbed" -map 0:s:0 "$scratch/inside.vtt"
[ "$(grep -v -e '-->' "$captions" | xargs)" = "$(grep -v -e '-->' "$scratch/inside.vtt" | xargs)" ] ||
    fail "the subtitles in the video say something else"
spans "$scratch/original.vtt" >"$scratch/original"
[ "$(wc -l <"$scratch/spans")" -ge 2 ] || fail "too few captions: $(cat "$captions")"
[ "$(wc -l <"$scratch/spans")" = "$(wc -l <"$scratch/original")" ] || fail "not as many captions as in the original"
# Those in the video say the same. Each begins where the sentence does that it translates, and is spoken while it is shown.
paste -d ' ' "$scratch/spans" "$scratch/original" | while read -r from to began _; do
    awk -v a="$from" -v b="$began" 'BEGIN { exit !(a - b < 1.5 && b - a < 1.5) }' ||
        fail "a caption begins at $from s, the sentence that it translates at $began s"
    loud=$(ffmpeg -nostdin -hide_banner -ss "$from" -to "$to" -i "$dubbed" -map 0:a:0 -af volumedetect -f null - 2>&1 |
        sed -n 's/.*max_volume: \(-*[0-9.]*\) dB.*/\1/p')
    awk -v loud="${loud:--99}" 'BEGIN { exit !(loud > -40) }' || fail "nothing is said from $from s to $to s"
done

for kind in pending processing progress completed; do
    wait_for "the listener was not told translation.$kind" grep -qs "\"type\":\"translation.$kind\"" "$scratch/told.jsonl"
done
url=$(sed -n '/"type":"translation.completed"/s/.*"output_url":"\([^"]*\)".*/\1/p' "$scratch/told.jsonl")
curl -sf "$url" | cmp - "$dubbed" || fail "the URL that the listener was told, $url, leads to something else"
echo "sample_en.mp4 in $language: $(duration "$dubbed") s, $(wc -l <"$scratch/spans") captions in their places, told pending, processing, progress, completed"

# What cannot be dubbed ends as an error with a sentence that helps.
must_fail() {
    local code=0
    "$DUBHOOK" translate "$1" --to "$language" --wait --upload >"$scratch/bad.out" 2>&1 || code=$?
    [ "$code" -eq 1 ] || fail "$2: exit code $code instead of 1"
    grep -q "$3" "$scratch/bad.out" || fail "$2: no helpful sentence in: $(cat "$scratch/bad.out")"
    echo "$2: $(grep -o "$3.*" "$scratch/bad.out" | head -1)"
}
echo "This is no video." >"$scratch/text.mp4"
ffmpeg -v error -f lavfi -i testsrc=d=2:s=160x120 -pix_fmt yuv420p "$scratch/silent.mp4"
must_fail "$scratch/text.mp4" "a text file" "not a video"
must_fail "$scratch/silent.mp4" "a video without sound" "no sound"
wait_for "the listener was not told of the errors" grep -qs '"type":"translation.error"' "$scratch/told.jsonl"
echo "end to end: passed"
