#!/usr/bin/env bash
# Runs a program on the emulated board:
#
#   board.sh PROGRAM.elf HOST_PORT:BOARD_PORT NAME=VALUE...
#
# Connections to HOST_PORT on the host's loopback arrive at BOARD_PORT on the board; the board reaches
# the host's loopback as 10.0.2.2. The settings, and a seed drawn here, are the program's command line.
# What it says comes on standard output, and its end is QEMU's: 0 for success.
set -euo pipefail

program=$1 forward=$2
shift 2
seed=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
semihosting="enable=on,target=native,arg=$(basename "$program"),arg=seed=$seed"
for setting in "$@"; do
    semihosting+=",arg=$setting"
done
exec qemu-system-arm -machine lm3s6965evb -kernel "$program" \
    -display none -monitor none -serial none \
    -nic "user,hostfwd=tcp:127.0.0.1:${forward%:*}-:${forward#*:}" \
    -semihosting-config "$semihosting"
