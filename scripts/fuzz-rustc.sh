#!/usr/bin/env bash
# Called by cargo instead of rustc for our own crates: adds libFuzzer's coverage hooks. The libraries
# below them are built as for the tests, once. All options work with the pinned stable compiler.
# A build script is a program without libFuzzer in it, so it goes without the hooks.
case " $* " in *" --crate-name build_script_"*) exec "$@" ;; esac
exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares -Copt-level=2 -Ccodegen-units=1
