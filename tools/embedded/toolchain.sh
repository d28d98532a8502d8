# A Rust compiler for the targets without an operating system. To be sourced by bash scripts.
#
#   embedded_toolchain TARGET...    finds or installs a compiler for every TARGET
#   embedded_cargo TARGET COMMAND ARGUMENT...
#                                   runs `cargo COMMAND --target TARGET ARGUMENT...` with it
#   embedded_need PROGRAM PACKAGE   makes sure that PROGRAM is there, from the Debian package PACKAGE
#   EMBEDDED_FIRMWARE               the file that has the flags which the firmware is built with, for `cargo --config`
#
# Two compilers will do, and the first that works is taken (DUBHOOK_TOOLCHAIN=rustup or =debian takes
# one without looking further):
#
#   rustup   the active toolchain, with each target's prebuilt `core` from `rustup target add`;
#   debian   the packages rustc-web, cargo-web, rust-web-src and rust-web-llvm, which build `core` from
#            its source. `-Zbuild-std` is unstable, hence RUSTC_BOOTSTRAP.
#
# Whatever gets installed is said on standard error first.

source "$(dirname "${BASH_SOURCE[0]}")/../apt.sh"
EMBEDDED_FIRMWARE=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../examples/firmware/.cargo/config.toml")

embedded_say() {
    printf '%s\n' "$*" >&2
}

embedded_need() {
    command -v "$1" >/dev/null || apt_install --no-install-recommends "$2"
}

embedded_rustup_toolchain() {
    command -v rustup >/dev/null || return 1
    local target installed
    installed=$(rustup target list --installed 2>/dev/null) || return 1
    for target in "$@"; do
        if ! grep -qx "$target" <<<"$installed"; then
            embedded_say "installing with rustup: the target $target"
            rustup target add "$target" >/dev/null 2>&1 || return 1
        fi
    done
    EMBEDDED_CARGO=(cargo)
    EMBEDDED_FLAGS=()
}

embedded_debian_toolchain() {
    local missing=() package
    for package in rustc-web cargo-web rust-web-src rust-web-llvm; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] || apt_install --no-install-recommends "${missing[@]}" || return 1
    # The targets name their linker `rust-lld`, which rust-web-llvm has as a link to one like `lld-22` in
    # a package of that name that it does not depend on.
    [ -x /usr/bin/rust-lld ] || apt_install --no-install-recommends "$(readlink /usr/bin/rust-lld)" || return 1
    EMBEDDED_CARGO=(env RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo)
    EMBEDDED_FLAGS=(-Zbuild-std=core)
}

embedded_toolchain() {
    case "${DUBHOOK_TOOLCHAIN:-}" in
    rustup | debian) "embedded_${DUBHOOK_TOOLCHAIN}_toolchain" "$@" ;;
    '') embedded_rustup_toolchain "$@" || embedded_debian_toolchain "$@" ;;
    *)
        embedded_say "DUBHOOK_TOOLCHAIN is rustup or debian, not '$DUBHOOK_TOOLCHAIN'"
        return 1
        ;;
    esac || {
        embedded_say "no Rust compiler for: $*"
        return 1
    }
}

embedded_cargo() {
    local target=$1 command=$2
    shift 2
    "${EMBEDDED_CARGO[@]}" "$command" --target "$target" "${EMBEDDED_FLAGS[@]}" "$@"
}
