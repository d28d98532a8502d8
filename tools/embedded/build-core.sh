#!/usr/bin/env bash
# Builds `dubhook-core` for the kinds of processor it must fit: Cortex-M3, Cortex-M0 (no compare-and-swap) and RISC-V without
# atomics, so that nothing of `std` or wider atomics can creep in. And looks at a program without an allocator that is made of
# it: the compiler refuses that as soon as anything in it, be it a dependency of a dependency, knows the crate `alloc`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tools/embedded/toolchain.sh

targets=(thumbv7m-none-eabi thumbv6m-none-eabi riscv32imc-unknown-none-elf)
embedded_toolchain "${targets[@]}"

# fits TARGET FEATURES: whether the core builds with these features, and has no heap.
fits() {
    embedded_cargo "$1" build --quiet --release --locked -p dubhook-core --no-default-features --features "$2"
    # The program always has `default` and `hub`; `log` and `defmt` are also features of its own.
    local notes
    notes=$(grep -oE 'log|defmt' <<<"$2" | paste -sd,) || true
    (cd tests/no-panic && embedded_cargo "$1" check --quiet --release --locked --features "allow,$notes")
    echo "dubhook-core builds for $1 with ${2:-none of its features}, and needs no allocator"
}

for target in "${targets[@]}"; do
    fits "$target" default
done
# What a device can do without must fit there as well. What it notes goes to `log` or `defmt`, neither of which may bring a heap;
# `defmt` also formats every public enum.
for features in '' hub log defmt log,defmt hub,log,defmt default,hub,log,defmt; do
    fits thumbv7m-none-eabi "$features"
done
