#!/bin/sh
# RUSTC_WORKSPACE_WRAPPER of the fuzz build: "$@" is rustc and its arguments, for our crates only.
# The pass is LLVM's own and is reachable from stable; it adds the counters that libFuzzer reads.
exec "$@" -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table
