#!/bin/sh
# One seed of this evidence, from the cohort to the report: sh seed.sh SIMULATOR_SEED SEED WORK
# Everything is trained anew but the CMR encoder that judges, which is the shipped one. What is
# there is not made again. times.tsv gets the wall seconds of each step and the load average before.
set -eu
usage="usage: sh seed.sh SIMULATOR_SEED SEED WORK"
simulator="${1:?$usage}" seed="${2:?$usage}" work="${3:?$usage}/seed$1"
mkdir -p "$work"
cd "$work"

step() { # NAME RESULT COMMAND...
    name="$1" result="$2"
    shift 2
    [ ! -e "$result" ] || return 0
    load="$(cut -d ' ' -f 1 /proc/loadavg)" start="$(date +%s)"
    "$@"
    printf '%s\t%s\t%s\n' "$name" "$(($(date +%s) - start))" "$load" >> times.tsv
}

train() { # NAME OPTIONS...
    name="$1"
    shift
    step "$name" "$name/weights.safetensors" cardionets train --preset tiny --seed "$seed" \
        --set "train.threads=${THREADS:-2}" --cohort cohort.h5 --out "$name" "$@"
}

step cohort cohort.h5 cardionets prepare simulated --preset tiny --seed "$simulator" --out cohort.h5
train encoder --encoder stmem --aligner weighted-infonce \
    --weights encoder=train --weights cmr_encoder=train
train vae --autoencoder vae3d
train mar --encoder stmem --generator mar --weights encoder=encoder --weights autoencoder=vae
train cross-ae --encoder stmem --generator cross-ae --weights encoder=encoder
step evaluation report cardionets evaluate-generator \
    --weights mar --weights cross-ae --cohort cohort.h5 --out report
