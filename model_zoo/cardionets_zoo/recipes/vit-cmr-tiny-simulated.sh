#!/bin/sh
# Train and pack vit-cmr-tiny-simulated: sh vit-cmr-tiny-simulated.sh WORK
set -eu
work="${1:?usage: sh vit-cmr-tiny-simulated.sh WORK}"
zoo="$(cd "$(dirname "$0")/.." && pwd)"
sh "$zoo/recipes/cohort.sh" "$work"
cardionets train --encoder vit-cmr --preset tiny --seed 1000001 \
    --cohort "$work/cohort.h5" --out "$work/vit-cmr-tiny-simulated"
cardionets zoo pack "$work/vit-cmr-tiny-simulated" --name vit-cmr-tiny-simulated \
    --card "$zoo/cards/vit-cmr-tiny-simulated.md" --out "$zoo"
