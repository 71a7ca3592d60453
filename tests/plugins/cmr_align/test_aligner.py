"""What an aligner promises."""

import math

import pytest
import torch

from cardionets_cmr_align.aligner import InfoNce, WeightedInfoNce, batch_recall_at_1
from cardionets_cmr_align.config import InfoNceConfig, WeightedInfoNceConfig
from cardionets_cmr_align.loss import info_nce, pair_weights, weighted_info_nce
from cardionets_core.errors import TrainingError
from cardionets_core.interfaces import Aligner, Features, missing_members

ECG_DIM, CMR_DIM = 6, 10
BOTH = pytest.mark.parametrize("name", ["infonce", "weighted-infonce"])


def build(name="weighted-infonce", **options):
    torch.manual_seed(0)
    options = {"projection_dim": 5, **options}
    if name == "infonce":
        return InfoNce(InfoNceConfig(**options), ecg_dim=ECG_DIM, cmr_dim=CMR_DIM)
    options = {"pca_components": 4, **options}
    return WeightedInfoNce(WeightedInfoNceConfig(**options), ecg_dim=ECG_DIM, cmr_dim=CMR_DIM)


def ecg_features(draw, count=8):
    return Features(draw(count, 3, 2).float(), draw(count, ECG_DIM).float())


@BOTH
def test_keeps_the_contract_and_gives_unit_embeddings(draw, name):
    aligner = build(name)
    assert missing_members(aligner, Aligner) == []
    cmr_train = 50 + draw(30, CMR_DIM).float()
    aligner.fit(cmr_train)
    ecg, cmr = aligner.embed_ecg(ecg_features(draw)), aligner.embed_cmr(cmr_train[:8])
    assert ecg.shape == cmr.shape == (8, 5)
    for embedding in (ecg, cmr):
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(8))
    loss, log = aligner.loss(ecg, cmr, aligner.phi(cmr_train[:8]))
    assert loss.ndim == 0
    assert {"temperature", "recall_at_1"} <= log.keys()
    assert all(math.isfinite(value) for value in log.values())
    assert not any(torch.as_tensor(value).requires_grad for value in log.values())


@BOTH
def test_loss_is_the_formula(draw, name):
    aligner = build(name, temperature=0.2, learnable_temperature=False).double()
    cmr_train = draw(30, CMR_DIM)
    aligner.fit(cmr_train)
    ecg, cmr, phi = draw(8, 5), draw(8, 5), aligner.phi(cmr_train[:8])
    if name == "infonce":
        expected = info_nce(ecg, cmr, 0.2)
    else:
        expected = weighted_info_nce(ecg, cmr, pair_weights(phi, aligner.sigma), 0.2)
    assert torch.equal(aligner.loss(ecg, cmr, phi).loss, expected)


def test_phi_is_centred_and_keeps_distances_when_nothing_is_dropped(draw):
    aligner = build(pca_components=CMR_DIM).double()
    cmr_train = 7 + draw(30, CMR_DIM)
    aligner.fit(cmr_train)
    phi = aligner.phi(cmr_train)
    torch.testing.assert_close(phi.mean(0), torch.zeros_like(phi.mean(0)), rtol=0, atol=1e-10)
    torch.testing.assert_close(torch.pdist(phi), torch.pdist(cmr_train))


def test_whitening_gives_every_component_unit_variance(draw):
    aligner = build(whiten=True).double()
    cmr_train = draw(30, CMR_DIM) * torch.linspace(1, 9, CMR_DIM)
    aligner.fit(cmr_train)
    variance = aligner.phi(cmr_train).var(dim=0)
    torch.testing.assert_close(variance, torch.ones_like(variance))


def test_sigma_is_a_number_or_the_median_distance(draw):
    cmr_train = draw(30, CMR_DIM)
    absolute, median = build(sigma=0.5).double(), build(sigma="median").double()
    absolute.fit(cmr_train)
    median.fit(cmr_train)
    assert absolute.sigma.item() == 0.5
    expected = torch.pdist(median.phi(cmr_train)).square().quantile(0.5).sqrt()
    assert median.sigma.item() == pytest.approx(expected.item(), rel=1e-6)


def test_fewer_subjects_than_components_is_no_obstacle(draw):
    aligner = build(pca_components=8).double()
    cmr_train = draw(4, CMR_DIM)
    aligner.fit(cmr_train)
    phi = aligner.phi(cmr_train)
    assert phi.shape == (4, 8)
    torch.testing.assert_close(torch.pdist(phi), torch.pdist(cmr_train))


@BOTH
def test_state_loads_into_an_aligner_that_was_never_fitted(draw, name):
    cmr_train, features = draw(5, CMR_DIM).float(), ecg_features(draw)
    trained, fresh = build(name, pca_components=8) if name != "infonce" else build(name), None
    trained.fit(cmr_train)
    fresh = type(trained)(trained.config, ecg_dim=ECG_DIM, cmr_dim=CMR_DIM)
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh.embed_ecg(features), trained.embed_ecg(features))
    assert torch.equal(fresh.embed_cmr(cmr_train), trained.embed_cmr(cmr_train))
    assert torch.equal(fresh.phi(cmr_train), trained.phi(cmr_train))


def test_fitting_again_forgets_the_first_fit(draw):
    aligner, fresh = build(pca_components=8), build(pca_components=8)
    aligner.fit(draw(30, CMR_DIM))
    second = draw(4, CMR_DIM)
    aligner.fit(second)
    fresh.fit(second)
    for name, buffer in fresh.named_buffers():
        assert torch.equal(dict(aligner.named_buffers())[name], buffer)


def test_standardised_cmr_does_not_depend_on_offset_and_scale(draw):
    aligner, other = build().double(), build().double()
    cmr_train = draw(30, CMR_DIM)
    aligner.fit(cmr_train)
    other.fit(1000 * cmr_train + 300)
    torch.testing.assert_close(
        aligner.embed_cmr(cmr_train), other.embed_cmr(1000 * cmr_train + 300), rtol=0, atol=1e-6
    )


def test_raw_cmr_goes_straight_into_its_projection(draw):
    aligner = build(standardise_cmr=False)
    cmr = draw(3, CMR_DIM).float()
    projected = aligner.cmr_projection(cmr)
    torch.testing.assert_close(
        aligner.embed_cmr(cmr), projected / projected.norm(dim=1, keepdim=True)
    )


@BOTH
def test_both_projections_and_the_temperature_are_trained(draw, name):
    aligner = build(name)
    cmr_train = draw(30, CMR_DIM).float()
    aligner.fit(cmr_train)
    ecg, cmr = aligner.embed_ecg(ecg_features(draw)), aligner.embed_cmr(cmr_train[:8])
    aligner.loss(ecg, cmr, aligner.phi(cmr_train[:8])).loss.backward()
    names = {name for name, p in aligner.named_parameters() if p.grad is not None and p.grad.any()}
    sides = {f"{s}_projection.{p}" for s in ("ecg", "cmr") for p in ("weight", "bias")}
    assert names == sides | {"log_temperature"}


def test_a_fixed_temperature_is_no_parameter():
    aligner = build(learnable_temperature=False, temperature=0.05)
    assert aligner.temperature == 0.05
    assert "log_temperature" not in aligner.state_dict()


def test_a_learnable_temperature_starts_where_told_and_stays_above_its_floor():
    aligner = build(temperature=0.07, temperature_floor=0.01)
    assert aligner.temperature.item() == pytest.approx(0.07, rel=1e-6)
    with torch.no_grad():
        aligner.log_temperature.fill_(-1e4)
    assert aligner.temperature.item() == pytest.approx(0.01)


def test_a_temperature_at_its_floor_can_rise_again():
    aligner = build(temperature=0.0101, temperature_floor=0.01)
    aligner.temperature.backward()
    assert aligner.log_temperature.grad > 0


def test_log_tells_how_far_weights_are_from_plain_info_nce(draw):
    cmr_train = draw(30, CMR_DIM).float()
    logs = {}
    for sigma in (1e-3, 1e3):
        aligner = build(sigma=sigma)
        aligner.fit(cmr_train)
        phi = aligner.phi(cmr_train[:8])
        logs[sigma] = aligner.loss(draw(8, 5).float(), draw(8, 5).float(), phi).log
    assert logs[1e-3]["w_q05"] == pytest.approx(1.0)
    assert logs[1e3]["w_q95"] < 1e-3
    assert logs[1e3]["w_q05"] <= logs[1e3]["w_q50"] <= logs[1e3]["w_q95"]


def test_recall_of_a_batch_counts_own_pairs_in_both_directions():
    ecg = torch.eye(4)
    assert batch_recall_at_1(ecg, ecg) == 1.0
    assert batch_recall_at_1(ecg, ecg[[1, 0, 2, 3]]) == 0.5
    assert batch_recall_at_1(torch.ones(4, 3), torch.ones(4, 3)) == 0.25


def test_a_training_batch_of_one_is_refused_and_a_validation_batch_is_not(draw):
    aligner = build()
    aligner.fit(draw(30, CMR_DIM))
    one = draw(1, 5).float(), draw(1, 5).float(), aligner.phi(draw(1, CMR_DIM).float())
    with pytest.raises(TrainingError, match="no negatives"):
        aligner.train().loss(*one)
    loss, log = aligner.eval().loss(*one)
    assert loss.item() == 0.0
    assert all(math.isfinite(value) for value in log.values())


def test_using_an_aligner_before_fit_is_refused(draw):
    aligner = build()
    for use in (aligner.phi, aligner.embed_cmr):
        with pytest.raises(TrainingError, match="not fitted"):
            use(draw(2, CMR_DIM).float())


@pytest.mark.parametrize(
    ("cmr_train", "message"),
    [
        (torch.zeros(1, CMR_DIM), "1 training subject"),
        (torch.full((7, CMR_DIM), 0.1), "are equal"),
        (torch.zeros(5, CMR_DIM + 1), f"subjects, {CMR_DIM}"),
        (torch.full((5, CMR_DIM), math.nan), "5 of 5 training subjects are not finite"),
        (torch.eye(CMR_DIM)[[0, 1, 1, 1, 1, 1]], "median distance is 0"),
    ],
    ids=["one", "equal", "width", "nan", "duplicates"],
)
def test_features_that_cannot_be_fitted_are_named(cmr_train, message):
    with pytest.raises(TrainingError, match=message):
        build().fit(cmr_train)


@BOTH
def test_bf16_autocast_gives_a_finite_float32_loss(draw, name):
    aligner = build(name)
    cmr_train = draw(30, CMR_DIM).float()
    aligner.fit(cmr_train)
    expected = aligner.phi(cmr_train[:8])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        phi = aligner.phi(cmr_train[:8])
        ecg, cmr = aligner.embed_ecg(ecg_features(draw)), aligner.embed_cmr(cmr_train[:8])
        loss = aligner.loss(ecg, cmr, phi).loss
    assert torch.equal(phi, expected)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)


@BOTH
def test_one_batch_can_be_overfitted(draw, name):
    aligner = build(name, temperature=0.1, learnable_temperature=False)
    features, cmr = ecg_features(draw), draw(8, CMR_DIM).float()
    aligner.fit(cmr)
    optimizer = torch.optim.Adam(aligner.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        loss, log = aligner.loss(
            aligner.embed_ecg(features), aligner.embed_cmr(cmr), aligner.phi(cmr)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    assert log["recall_at_1"] >= 0.9


@pytest.mark.gpu
@BOTH
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_cuda_gives_the_loss_of_the_cpu(draw, name, dtype):
    aligner = build(name)
    features, cmr_train = ecg_features(draw), draw(30, CMR_DIM).float()
    aligner.fit(cmr_train)
    expected = aligner.loss(
        aligner.embed_ecg(features), aligner.embed_cmr(cmr_train[:8]), aligner.phi(cmr_train[:8])
    )
    aligner.cuda()
    aligner.fit(cmr_train)
    features, cmr = Features(*(f.cuda() for f in features)), cmr_train[:8].cuda()
    found = aligner.loss(aligner.embed_ecg(features), aligner.embed_cmr(cmr), aligner.phi(cmr))
    assert found.loss.item() == pytest.approx(expected.loss.item(), rel=1e-4)
    with torch.autocast("cuda", dtype=dtype):
        found = aligner.loss(aligner.embed_ecg(features), aligner.embed_cmr(cmr), aligner.phi(cmr))
    assert found.loss.dtype == torch.float32
    assert found.loss.item() == pytest.approx(expected.loss.item(), rel=0.1)
