#!/usr/bin/env bash
# Weighs the core on a Cortex-M3 at opt-level "z", part by part and in the two firmware programs, and
# writes `docs/sizes.md`. Fails if anything has grown by more than 2 % over `sizes.budget`.
#
#   sizes.sh            compares with the budget
#   sizes.sh --accept   takes today's figures as the budget
#   sizes.sh --only PART
#                       compares one part, which is not a firmware program, and writes nothing
#
# Needs what `examples/firmware/run.sh` needs: the stacks of the two programs are those of its checks.
set -euo pipefail
DUBHOOK=${DUBHOOK:+$(realpath "$DUBHOOK")}
cd "$(dirname "${BASH_SOURCE[0]}")"
source toolchain.sh

target=thumbv7m-none-eabi
embedded_toolchain "$target"
embedded_need python3 python3
embedded_need llvm-readobj llvm
embedded_need qemu-system-arm qemu-system-arm
root=$(cd ../.. && pwd)
packages=("$root/tools/embedded/sizes" "$root/tools/embedded/peers" "$root/examples/firmware")
if [ "${1:-}" = --only ]; then
    packages=("$root/tools/embedded/sizes")
elif [ -z "$DUBHOOK" ]; then
    (cd "$root" && cargo build --quiet --release --locked -p dubhook-smol)
    DUBHOOK=${CARGO_TARGET_DIR:-$root/target}/release/dubhook
fi

# Noting stack sizes is unstable, and other flags mean another build: it has a folder of its own. The flags are added to those
# of the firmware's `.cargo/config.toml`, which everything here is built with. Panics of other crates name the file that they
# are in: what a program weighs must not depend on where the checkout and cargo's folder lie.
flags="'-Zemit-stack-sizes', '--remap-path-prefix=$root=dubhook', '--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo'"
export RUSTC_BOOTSTRAP=1
unset RUSTFLAGS
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/tools/embedded/sizes/target}/sizes
for package in "${packages[@]}"; do
    (cd "$package" && embedded_cargo "$target" build --quiet --release --locked \
        --config "target.$target.rustflags = [$flags]")
done
[ "${1:-}" != --only ] || exec ./sizes.py "$CARGO_TARGET_DIR/$target/release" none "$@"
# The server machine again as the device profile, and that with one feature more: each under a name of its own.
weigh_server() {
    (cd "$root/tools/embedded/sizes" && embedded_cargo "$target" build --quiet --release --locked --bin server \
        --no-default-features --features "$1" --config "target.$target.rustflags = [$flags]")
    mv "$CARGO_TARGET_DIR/$target/release/server" "$CARGO_TARGET_DIR/$target/release/$2"
}
cp "$CARGO_TARGET_DIR/$target/release/server" "$CARGO_TARGET_DIR/$target/release/whole"
for feature in $(./sizes.py --features); do
    weigh_server "$feature" "server+$feature"
done
weigh_server '' device
mv "$CARGO_TARGET_DIR/$target/release/whole" "$CARGO_TARGET_DIR/$target/release/server"
exec ./sizes.py "$CARGO_TARGET_DIR/$target/release" "$DUBHOOK" "$@"
