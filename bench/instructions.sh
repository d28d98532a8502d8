#!/usr/bin/env bash
# Counts the instructions of the core's main paths with callgrind and compares them with bench/instructions.txt.
# Fails if one has grown by more than 3 %.
#
#   bench/instructions.sh            compare
#   bench/instructions.sh --update   write the file anew: after growth that is worth it, or to keep what was gained
#
# Counts are the same at every run, whatever else the machine does, but another compiler, C library, valgrind or processor
# gives others. The file says which it was made with. Where that is not what is here, the commit that last wrote the file is
# built and counted here too, and what is here now is compared with that.
#
# valgrind's processor has no SHA instructions, so paths that sign count a hash in plain code, which hides small changes of
# what is around it: that is what the paths without a signature are for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
file=bench/instructions.txt
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

for tool in valgrind cargo; do
    command -v $tool >/dev/null || { echo "instructions.sh: $tool is not installed" >&2; exit 1; }
done

# What counts depend on beside the code.
tools() {
    echo "# $(rustc --version)"
    echo "# $(valgrind --version), $(ldd --version | head -1)"
    echo "#$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2)"
}

# Instructions of one run of each path: what a second thousand runs needs, so that setting up does not count.
count() {
    local paths=$1/release/examples/paths name few many
    for name in $("$paths"); do
        few=$(instructions "$paths" "$name" 1000)
        many=$(instructions "$paths" "$name" 2000)
        echo "$name $(((many - few + 500) / 1000))"
    done
}

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 | sed -n 's/.*Collected : //p'
}

build() {
    CARGO_TARGET_DIR=$1 cargo build --release --locked --quiet -p dubhook-tests --example paths
}

build "$target"
now=$(count "$target")
if [ "${1:-}" = --update ]; then
    { tools; echo "$now"; } >$file
    exit
fi

before=$(grep -v '^#' $file)
if [ "$(grep '^#' $file)" != "$(tools)" ]; then
    commit=$(git log -1 --format=%H -- $file)
    echo "other tools than $file was made with: counting commit ${commit:0:12} with these" >&2
    tree=$(mktemp -d)
    trap 'git worktree remove --force "$tree"' EXIT
    git worktree add --quiet --detach "$tree" "$commit"
    before=$(cd "$tree" && build "$target/instructions" && count "$target/instructions")
fi

echo "$now" | awk -v before="$before" '
    BEGIN {
        split(before, lines, "\n")
        for (i in lines) { split(lines[i], pair, " "); known[pair[1]] = pair[2] }
    }
    {
        growth = known[$1] ? ($2 / known[$1] - 1) * 100 : 0
        too_much = growth > 3
        failed = failed || too_much
        printf "%-20s %8d -> %8d  %+6.1f %%%s\n", $1, known[$1], $2, growth, too_much ? "  TOO MUCH" : ""
        delete known[$1]
    }
    END {
        for (name in known) { print name " is no longer counted"; failed = 1 }
        exit failed
    }'
