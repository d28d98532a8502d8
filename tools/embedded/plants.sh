#!/usr/bin/env bash
# Shows that each gate of the core fires: in a copy of what is here it plants, one after the other, what the gates must refuse,
# and runs the gate. Each plant is a file in `plants/`, which becomes a module of the core, and is called by what every input
# passes.
#
#   plants.sh           all of them
#   plants.sh PLANT...  those
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
source tools/embedded/toolchain.sh
embedded_need python3 python3

# Always in the same place, so that what is built there is found again.
copy=${CARGO_TARGET_DIR:-$root/target}/plants
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard -- . ':!tests/fuzz/corpus' ':!tests/data' |
    xargs -0 tar --create --ignore-failed-read 2>/dev/null | tar --extract --directory "$copy"

# expect PLANT INTO SIGNATURE MESSAGE FOLDER GATE...: plants behind the signature in that file of the core, and fails unless the
# gate fails and says the message. What was built of other crates, in the target folder of FOLDER, is used again.
expect() {
    local plant=$1 into=$2 signature=$3 message=$4 folder=$5 said
    shift 5
    cp "tools/embedded/plants/$plant.rs" "$copy/core/src/plant.rs"
    cp core/src/lib.rs "$copy/core/src/lib.rs"
    cp "core/src/$into" "$copy/core/src/$into"
    echo 'mod plant;' >>"$copy/core/src/lib.rs"
    sed -i "s/$signature/&\n    crate::plant::plant(bytes);/" "$copy/core/src/$into"
    if ! grep -q 'crate::plant' "$copy/core/src/$into"; then
        echo "there is no place in core/src/$into to plant $plant" >&2
        return 1
    fi
    if said=$(cd "$copy" && CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/$folder/target} "$@" 2>&1); then
        echo "planted and not noticed: $plant (${1##*/})" >&2
        return 1
    fi
    if ! grep -q "$message" <<<"$said"; then
        printf '%s\n' "$said" "planted, and another fault noticed: $plant (${1##*/})" >&2
        return 1
    fi
    cp "core/src/$into" "$copy/core/src/$into"
    echo "noticed: $plant (${1##*/})"
}

plant() {
    local validate=(json/mod.rs '^pub fn validate(bytes: &\[u8\]).*{$') put=(out.rs '^    pub fn put(&mut self, bytes: &\[u8\]) {$')
    case $1 in
    panic) expect "$1" "${validate[@]}" 'core/src/plant.rs:' tests/no-panic tools/embedded/no-panic.sh ;;
    alloc) expect "$1" "${validate[@]}" 'no global memory allocator\|find crate for `alloc`' . tools/embedded/build-core.sh ;;
    recursion) expect "$1" "${validate[@]}" '^recursion: .*plant' tests/no-panic tools/embedded/frames.sh ;;
    recursion-dyn) expect "$1" "${validate[@]}" '^recursion: .*plant::' tests/no-panic tools/embedded/frames.sh ;;
    frame) expect "$1" "${validate[@]}" '^a frame is larger' tests/no-panic tools/embedded/frames.sh ;;
    size) expect "$1" "${put[@]}" 'rodata has grown' tools/embedded/sizes tools/embedded/sizes.sh --only answers ;;
    *)
        echo "there is no such plant: $1" >&2
        return 1
        ;;
    esac
}

[ $# -gt 0 ] || set -- panic alloc recursion recursion-dyn frame size
for name; do
    plant "$name"
done
