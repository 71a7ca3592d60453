#!/bin/sh
# Train and pack stmem-tiny-simulated: sh stmem-tiny-simulated.sh WORK
set -eu
work="${1:?usage: sh stmem-tiny-simulated.sh WORK}"
zoo="$(cd "$(dirname "$0")/.." && pwd)"
sh "$zoo/recipes/cohort.sh" "$work"
cardionets train --encoder stmem --preset tiny --seed 1000001 \
    --cohort "$work/cohort.h5" --out "$work/stmem-tiny-simulated"
cardionets zoo pack "$work/stmem-tiny-simulated" --name stmem-tiny-simulated \
    --card "$zoo/cards/stmem-tiny-simulated.md" --out "$zoo"
