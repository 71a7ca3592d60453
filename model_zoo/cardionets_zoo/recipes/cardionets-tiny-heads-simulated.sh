#!/bin/sh
# Train and pack cardionets-tiny-heads-simulated: sh cardionets-tiny-heads-simulated.sh WORK
# The encoder, cardionets-tiny-simulated, has to be in the zoo: run its recipe first. The subjects
# here are others than it has seen, of a seed that no default and no reported evaluation uses; the
# last 1,800 are ill more often, so that every disease has cases to learn from.
set -eu
work="${1:?usage: sh cardionets-tiny-heads-simulated.sh WORK}"
zoo="$(cd "$(dirname "$0")/.." && pwd)"
mkdir -p "$work"
[ -f "$work/heads-cohort.h5" ] || cardionets prepare simulated \
    --subjects 4000 --pretrain-subjects 0 --enriched-subjects 1800 --prevalence demo \
    --seed 1000002 --out "$work/heads-cohort.h5"
for task in phenotypes cad hf cm ph cm-subtype; do
    cardionets train --encoder stmem --head linear --task "$task" --variant cardionets \
        --preset tiny --seed 1000002 --set protocol.probe=true \
        --cohort "$work/heads-cohort.h5" --out "$work/heads-$task"
done
cardionets zoo pack "$work/heads-phenotypes" "$work/heads-cad" "$work/heads-hf" \
    "$work/heads-cm" "$work/heads-ph" "$work/heads-cm-subtype" \
    --name cardionets-tiny-heads-simulated --default-for predict \
    --card "$zoo/cards/cardionets-tiny-heads-simulated.md" --out "$zoo"
