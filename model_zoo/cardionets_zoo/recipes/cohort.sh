#!/bin/sh
# The simulated cohort behind the shipped weights: sh cohort.sh WORK
# Its seed is one that no default and no reported evaluation uses, so that no test subject of
# either has been seen in training.
set -eu
work="${1:?usage: sh cohort.sh WORK}"
mkdir -p "$work"
[ -f "$work/cohort.h5" ] || cardionets prepare simulated \
    --subjects 3400 --pretrain-subjects 2700 --prevalence demo --seed 1000001 \
    --out "$work/cohort.h5"
