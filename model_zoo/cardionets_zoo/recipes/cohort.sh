#!/bin/sh
# The simulated cohort behind the shipped weights: sh cohort.sh WORK
# Its seed is one that no default and no reported evaluation uses, so that no test subject of
# either has been seen in training.
set -eu
work="${1:?usage: sh cohort.sh WORK}"
mkdir -p "$work"
[ -f "$work/cohort.h5" ] || cardionets prepare simulated \
    --subjects 2400 --seed 1000001 --prevalence demo --out "$work/cohort.h5"
