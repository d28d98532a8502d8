#!/usr/bin/env bash
# Builds `dubhook-core` for the kinds of processor it must fit: Cortex-M3, Cortex-M0 (no compare-and-swap)
# and RISC-V without atomics, so that nothing of `std`, `alloc` or wider atomics can creep in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tools/embedded/toolchain.sh

targets=(thumbv7m-none-eabi thumbv6m-none-eabi riscv32imc-unknown-none-elf)
embedded_toolchain "${targets[@]}"
for target in "${targets[@]}"; do
    embedded_cargo "$target" build --quiet --release -p dubhook-core
    echo "dubhook-core builds for $target"
done
# What a device can do without must fit there as well. What it notes goes to `log` or `defmt`, neither of which may bring a heap;
# `defmt` also formats every public enum.
for features in '' hub log defmt log,defmt hub,log,defmt default,hub,log,defmt; do
    embedded_cargo thumbv7m-none-eabi build --quiet --release --locked -p dubhook-core --no-default-features \
        --features "$features"
    echo "dubhook-core builds for thumbv7m-none-eabi with ${features:-none of its features}"
done
