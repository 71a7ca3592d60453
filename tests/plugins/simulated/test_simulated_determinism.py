import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256

import numpy as np
import pytest

from cardionets_simulated.cine_time import TEN_FRAMES
from cardionets_simulated.physiology import simulate_latents
from cardionets_simulated.streams import NORMALS, UNIFORMS, Stream, draw_latents, generator
from cardionets_simulated.subject import SubjectBatch, simulate
from cardionets_simulated.version import FIRST_RESERVED_SEED, LABEL, SIMULATOR_VERSION


def fingerprint(subject):
    digest = sha256()
    for array in (subject.ecg_mv, subject.cine, subject.phenotypes):
        digest.update(array.tobytes())
    digest.update(repr((subject.diagnoses, subject.sex, subject.age_years)).encode())
    return digest.hexdigest()


def fingerprint_alone(index):
    return fingerprint(simulate(7, index, "enriched"))


def test_a_subject_is_bit_equal_alone_and_in_any_batch():
    alone = {index: fingerprint(simulate(7, index, "enriched")) for index in (0, 3, 40)}
    for indices in ([3, 0, 40], range(41), [40, *range(1000, 1016), 3, 2**40, 0]):
        batch = SubjectBatch(7, indices, "enriched")
        for index, expected in alone.items():
            assert fingerprint(batch.subject(list(indices).index(index))) == expected


def test_phenotypes_are_bit_equal_for_every_batch_size():
    whole = SubjectBatch(7, range(600)).phenotypes
    for size in (1, 2, 3, 5, 8, 17, 64, 599):
        np.testing.assert_array_equal(SubjectBatch(7, range(size)).phenotypes, whole[:size])


def test_a_subject_is_bit_equal_in_another_process():
    indices = range(6)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        elsewhere = list(pool.map(fingerprint_alone, indices))
    assert elsewhere == [fingerprint_alone(index) for index in indices]


@pytest.mark.parametrize("frames", [TEN_FRAMES, (0,), (49, 3)])
def test_frames_rendered_directly_equal_those_of_the_whole_cine(frames):
    batch = SubjectBatch(7, range(4), "enriched")
    for position in range(len(batch)):
        whole = batch.cine(position)
        np.testing.assert_array_equal(batch.cine(position, frames), whole[list(frames)])


def test_ten_frames_are_every_fifth_from_the_third():
    assert tuple(range(50))[2::5] == TEN_FRAMES


def test_a_clean_ecg_is_the_same_ecg_without_noise():
    batch = SubjectBatch(7, range(20))
    difference = batch.ecg(0).signal_mv - batch.ecg(0, clean=True).signal_mv
    assert 0.01 < difference.std() < 0.3
    assert np.abs(difference.mean()) < 0.05


def test_changing_the_prevalence_changes_nobody_else():
    rare, common = (SubjectBatch(7, range(2000), name) for name in ("ukb", "enriched"))
    healthy = np.flatnonzero(common.latents.disease.any == 0)
    assert len(healthy) > 1000
    np.testing.assert_array_equal(rare.phenotypes[healthy], common.phenotypes[healthy])
    position = int(healthy[0])
    np.testing.assert_array_equal(rare.ecg(position).signal_mv, common.ecg(position).signal_mv)


def test_seeds_indices_and_streams_give_different_numbers():
    first = {
        (seed, index, stream): generator(seed, index, stream).random()
        for seed in (0, 1, FIRST_RESERVED_SEED)
        for index in (0, 1)
        for stream in Stream
    }
    assert len(set(first.values())) == len(first)


def test_the_latent_draws_are_those_of_a_fresh_generator():
    draws = draw_latents(3, [5, 2])
    rng = generator(3, 2, Stream.LATENTS)
    np.testing.assert_array_equal(draws.normals[:, 1], rng.standard_normal(len(NORMALS)))
    np.testing.assert_array_equal(draws.uniforms[:, 1], rng.random(len(UNIFORMS)))
    np.testing.assert_array_equal(draws.repeated[:, 1], rng.standard_normal(64))


def test_names_of_draws_are_unique():
    assert len(set(NORMALS)) == len(NORMALS) == 46
    assert len(set(UNIFORMS)) == len(UNIFORMS) == 20


def test_version_1_still_gives_the_subjects_of_version_1():
    # Raise SIMULATOR_VERSION when this fails on purpose. The tolerance is for other platforms:
    # their transcendentals round differently.
    subject = simulate(11, 4, "demo")
    assert SIMULATOR_VERSION == 1
    assert subject.version == SIMULATOR_VERSION
    measured = [
        subject.age_years,
        subject.phenotypes[0],
        subject.phenotypes[81],
        float(np.abs(subject.ecg_mv).mean()),
        float(subject.cine.mean()),
    ]
    golden = [54.4949, 133.959, -20.2816, 0.0617943, 69.6016]
    np.testing.assert_allclose(measured, golden, rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, [0], "ukb"), "seed -1 is out of range"),
        ((0, [3, -2], "ukb"), "index -2 is negative"),
        ((0, [0], "uk"), "no prevalence preset 'uk'; there are ukb, demo, enriched"),
    ],
)
def test_out_of_range_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_latents(*arguments)


def test_everything_is_labelled_simulated():
    assert LABEL == "simulated"
