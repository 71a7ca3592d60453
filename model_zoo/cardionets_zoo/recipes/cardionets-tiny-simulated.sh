#!/bin/sh
# Train and pack cardionets-tiny-simulated: sh cardionets-tiny-simulated.sh WORK
# The two encoders it starts from have to be in the zoo: run their recipes first.
set -eu
work="${1:?usage: sh cardionets-tiny-simulated.sh WORK}"
zoo="$(cd "$(dirname "$0")/.." && pwd)"
sh "$zoo/recipes/cohort.sh" "$work"
cardionets train --encoder stmem --aligner weighted-infonce --preset tiny --seed 1000001 \
    --weights encoder=stmem-tiny-simulated --weights cmr_encoder=vit-cmr-tiny-simulated \
    --cohort "$work/cohort.h5" --out "$work/cardionets-tiny-simulated"
cardionets zoo pack "$work/cardionets-tiny-simulated" --name cardionets-tiny-simulated \
    --card "$zoo/cards/cardionets-tiny-simulated.md" --out "$zoo"
