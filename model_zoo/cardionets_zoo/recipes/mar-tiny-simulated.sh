#!/bin/sh
# Train and pack mar-tiny-simulated: sh mar-tiny-simulated.sh WORK
# The encoder, cardionets-tiny-simulated, and the autoencoder, vae3d-tiny-simulated, have to be in
# the zoo: run their recipes first. The MLP is an eighth narrower than the preset's, so that all
# weights of the package together stay under 25 MB.
set -eu
work="${1:?usage: sh mar-tiny-simulated.sh WORK}"
zoo="$(cd "$(dirname "$0")/.." && pwd)"
sh "$zoo/recipes/cohort.sh" "$work"
cardionets train --encoder stmem --generator mar --preset tiny --seed 1000001 \
    --weights encoder=cardionets-tiny-simulated --weights autoencoder=vae3d-tiny-simulated \
    --set generator.denoiser_width=448 --set train.threads=1 \
    --cohort "$work/cohort.h5" --out "$work/mar-tiny-simulated"
cardionets zoo pack "$work/mar-tiny-simulated" --name mar-tiny-simulated --half \
    --default-for generate --card "$zoo/cards/mar-tiny-simulated.md" --out "$zoo"
