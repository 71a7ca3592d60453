#!/bin/sh
# Train and pack vae3d-tiny-simulated: sh vae3d-tiny-simulated.sh WORK
set -eu
work="${1:?usage: sh vae3d-tiny-simulated.sh WORK}"
zoo="$(cd "$(dirname "$0")/.." && pwd)"
sh "$zoo/recipes/cohort.sh" "$work"
cardionets train --autoencoder vae3d --preset tiny --seed 1000001 --set train.threads=1 \
    --cohort "$work/cohort.h5" --out "$work/vae3d-tiny-simulated"
cardionets zoo pack "$work/vae3d-tiny-simulated" --name vae3d-tiny-simulated --half \
    --card "$zoo/cards/vae3d-tiny-simulated.md" --out "$zoo"
