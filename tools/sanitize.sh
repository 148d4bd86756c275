#!/usr/bin/env bash
# AddressSanitizer over the tests of the kernels, then every fuzz target for a time. Not part of the gate; its last
# figures stand in docs/robustness.md.
#
#   tools/sanitize.sh [SECONDS] [TARGET ...]     60 seconds for each target, all targets
#
# Fails where the sanitizer or a target finds something; what a target found lies in fuzz/artifacts. What it learnt stays
# in fuzz/corpus, so that the next run begins there. RUSTC_BOOTSTRAP lets the stable compiler take the sanitizer's flags.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(picture safetensors pth mat onnx settings checkpoint_paint checkpoint_train)
export RUSTC_BOOTSTRAP=1
host=$(rustc -vV | sed -n 's/^host: //p')
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked

# The repository's own files are the seeds. Those of checkpoints are made by hand: no fixture is one.
seed() {
    local target=$1
    shift
    mkdir -p "fuzz/corpus/$target"
    cp "$@" "fuzz/corpus/$target/"
}
seed_target() {
    local nn=crates/impasto-nn/tests
    case $1 in
    picture) seed "$1" crates/impasto/tests/pictures/files/* ;;
    safetensors) seed "$1" $nn/fixtures/*.safetensors ;;
    pth) seed "$1" $nn/fixtures/*.pth $nn/fixtures/*.pt $nn/fixtures/*.pkl $nn/fixtures/*.npz ;;
    mat) seed "$1" $nn/fixtures/*.mat ;;
    onnx) seed "$1" $nn/styles/*.onnx ;;
    *) seed "$1" fuzz/seeds/"$1"/* ;;
    esac
}

failed=0
echo "+ the tests of the kernels under AddressSanitizer"
RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/sanitize \
    cargo test --locked --profile checked -p impasto-kernels --lib --target "$host" || failed=1

# Inputs are short; what a reader takes beyond 2 GiB for one of them is a finding.
limits=(-max_len=100000 -timeout=30 -rss_limit_mb=2048 -print_final_stats=1)
log=$(mktemp)
table="| target | executions | edges covered | inputs kept | findings |
|---|---|---|---|---|"
for target in "${targets[@]}"; do
    seed_target "$target"
    echo "+ $target for $seconds seconds"
    found=0
    cargo fuzz run "$target" -- -max_total_time="$seconds" "${limits[@]}" >"$log" 2>&1 || found=1
    [ $found = 0 ] || { tail -n 60 "$log"; failed=1; }
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    kept=$(sed -n 's/.* corp: \([0-9]*\)\/.*/\1/p' "$log" | tail -n 1)
    table+="
| \`$target\` | ${executions:-0} | ${covered:-0} | ${kept:-0} | $found |"
done
rm -f "$log"
echo "$table"
exit $failed
