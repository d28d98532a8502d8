#!/usr/bin/env bash
# A video of 2 GiB goes up, is translated, and comes down through the real program, by curl and by the command line; its SHA-256
# is the same at both ends, and the server's resident memory grows by less than 64 MiB. Then once more over a break.
#
#   tools/large.sh [MIB]       2048 without an argument; takes some three times as much of the disk
#
# DUBHOOK names the program; it is built where that is not set. TMPDIR says on which disk.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mib=${1:-2048}
if [ -z "${DUBHOOK:-}" ]; then
    cargo build --release --locked --quiet -p dubhook-smol
    DUBHOOK=${CARGO_TARGET_DIR:-$PWD/target}/release/dubhook
fi
scratch=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT
fail() {
    echo "large: FAILED: $*" >&2
    tail -5 "$scratch/log" >&2
    exit 1
}

# All of it is on this machine.
export no_proxy='*' NO_PROXY='*'

# The same bytes under another name, which takes no more of the disk.
translator='url=$(sed -n "s/.*\"video_url\":\"file:\/\/\([^\"]*\)\".*/\1/p"); out=$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID.es.mp4
ln "$url" "$out" && printf "{\"output_url\":\"file://%s\"}\n" "$out"'
mkdir "$scratch/output"
"$DUBHOOK" serve --listen 127.0.0.1:0 --data "$scratch/data" --translator command --command "$translator" \
    --output "$scratch/output" >"$scratch/out" 2>"$scratch/log" &
pid=$!
for _ in $(seq 600); do
    server=$(sed -n 's/^listening on //p' "$scratch/out")
    [ -z "$server" ] || break
    sleep 0.1
done
[ -n "${server:-}" ] || fail "the server does not listen"
export DUBHOOK_SERVER=$server

memory() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$pid/status"; }
# member NAME: the value of that member of the JSON on standard input.
member() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
seconds() { date +%s.%N; }
say() { awk -v what="$1" -v mib="$mib" -v a="$2" -v b="$(seconds)" 'BEGIN { printf "%s: %.1f s, %.0f MiB/s\n", what, b - a, mib / (b - a) }'; }

# Sparse, but for 1 MiB of noise in each 64.
video=$scratch/video.mp4
truncate -s "${mib}M" "$video"
for ((at = 0; at < mib; at += 64)); do
    dd if=/dev/urandom of="$video" bs=1M count=1 seek="$at" conv=notrunc status=none
done
wanted=$(sha256sum "$video" | cut -c1-64)
curl -sf "$server/healthz" >/dev/null
before=$(memory VmRSS)

since=$(seconds)
made=$(curl -sf "$server/v1/uploads" -H 'content-type: application/json' \
    -d "{\"bytes\":$((mib << 20)),\"filename\":\"video.mp4\",\"sha256\":\"$wanted\"}") || fail "it is not announced"
id=$(member id <<<"$made")
# Whoever is refused is so before a byte was sent.
said=$(curl -sf -T "$video" "$server/v1/uploads/$id") || fail "it does not go up"
[ "$(member sha256 <<<"$said")" = "$wanted" ] || fail "other bytes have come: $said"
say "up, by curl" "$since"

job=$(curl -sf "$server/v1/translations" -H 'content-type: application/json' \
    -d "{\"video_url\":\"dubhook:$id\",\"target_language\":\"es\"}" | member id)
for _ in $(seq 3000); do
    state=$(curl -sf "$server/v1/translations/$job" | member status)
    case $state in completed) break ;; error) fail "$(curl -s "$server/v1/translations/$job")" ;; esac
    sleep 0.2
done
[ "$state" = completed ] || fail "the job does not end"
since=$(seconds)
[ "$(curl -sf "$server/v1/translations/$job/output" | sha256sum | cut -c1-64)" = "$wanted" ] || fail "other bytes come down"
say "down, by curl" "$since"

since=$(seconds)
mkdir "$scratch/here"
brought=$("$DUBHOOK" download "$job" --output "$scratch/here")
[ "$(sha256sum "$brought" | cut -c1-64)" = "$wanted" ] || fail "the command line brings other bytes"
rm -r "$scratch/here"
say "down, by dubhook download, and read again" "$since"

# The command line finds what is there by its SHA-256, and else sends it in pieces, over a break.
[ "$("$DUBHOOK" upload "$video")" = "dubhook:$id" ] || fail "what is there is sent again"
"$DUBHOOK" translate "dubhook:$id" --to fr --wait >/dev/null || fail "an upload that is there is not translated"
curl -sf -X DELETE "$server/v1/uploads/$id" || fail "it cannot be removed"
# break_off: sends the video, and dies once some of it has come. Fails where all of it has.
break_off() {
    "$DUBHOOK" upload "$video" >/dev/null 2>&1 &
    sending=$!
    begun=
    for _ in $(seq 3000); do
        begun=$("$DUBHOOK" uploads --json | sed -n 's/.*"id":"\(med_[^"]*\)".*"received":\([1-9][0-9]*\),.*/\1/p')
        [ -z "$begun" ] || break
        sleep 0.02
    done
    [ -n "$begun" ] || fail "nothing of it comes"
    kill -KILL "$sending" 2>/dev/null || return 1
    wait "$sending" 2>/dev/null || true
}
tries=1
until since=$(seconds) && break_off; do
    # Whoever looked was too late.
    curl -sf -X DELETE "$server/v1/uploads/$begun" || fail "it cannot be removed"
    [ $((tries++)) -lt 5 ] || fail "it was too fast to be broken off"
done
[ "$("$DUBHOOK" upload "$video")" = "dubhook:$begun" ] || fail "it does not go on"
said=$(curl -sf "$server/v1/uploads/$begun")
[ "$(member sha256 <<<"$said")" = "$wanted" ] || fail "other bytes have come: $said"
say "up, by dubhook upload, over a break" "$since"

after=$(memory VmHWM)
echo "resident before: $before KiB; at most: $after KiB"
[ $((after - before)) -lt $((64 * 1024)) ] || fail "$((after - before)) KiB more were resident"
echo "large: passed"
