"""The masked transformer, its denoiser and the training loss against vectors of CPGG."""

import math
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import linear

from cardionets_mar3d.denoiser import time_features
from cardionets_mar3d.mar import Mar, MarNoise
from cardionets_mar3d.mar_config import CpggConfig, MarConfig
from cardionets_mar3d.mar_transformer import take
from cardionets_mar3d.step_denoiser import StepDenoiser
from cardionets_mar3d.tokens import (
    TokenGrid,
    hidden_count,
    iteration_schedule,
    linear_guidance,
    truncated_normal_ratio,
)

pytestmark = pytest.mark.parity("mar")


@pytest.fixture(scope="module")
def made(mar_set):
    return mar_set.json("config.json")["model"]


@pytest.fixture(scope="module")
def vectors(mar_set):
    return mar_set.arrays("forward_and_training.npz")


@pytest.fixture
def model(mar_set, made, published):
    """The generator with the stored weights; it is given conditions that are embedded already."""

    def build(dtype=torch.float64, bypassed=True, **more):
        state = published.ours(mar_set.state("model_state_dict.safetensors"))
        config = CpggConfig(
            **published.options(
                made["cfg"], diffusion_batch_mul=made["diffusion_batch_mul"], **more
            )
        )
        generator = Mar(config, condition_dim=state["transformer.class_emb.weight"].shape[1])
        missing, unexpected = generator.load_state_dict(state, strict=False)
        assert not unexpected
        assert {name.partition(".")[0] for name in missing} == {"scaler", "latent_scale"}
        if bypassed:
            generator.scaler = generator.transformer.class_emb = torch.nn.Identity()
        return generator.to(dtype).eval()

    return build


def known_places(mask):
    return torch.stack([(~row).nonzero().flatten() for row in mask.bool()])


def everywhere(mask):
    return torch.arange(mask.shape[1]).expand(len(mask), -1)


def decoded(generator, vectors, name, condition):
    dtype = condition.dtype
    tokens, mask = generator.grid.patchify(vectors["latent"].to(dtype)), vectors[f"{name}.mask"]
    places = known_places(mask)
    encoded = generator.transformer.encode(take(tokens, places), places, condition)
    return encoded, generator.transformer.decode(encoded, places, everywhere(mask))


def test_latents_are_cut_into_tokens_and_put_together_again(mar_set, made):
    stored = mar_set.arrays("patchify.npz")
    _, frames, size, _ = stored["latent"].shape[1:]
    patch_frames, patch_size, _ = made["cfg"]["patch_size"]
    grid = TokenGrid(tuple(stored["latent"].shape[1:]), patch_frames, patch_size)
    assert (frames // patch_frames) * (size // patch_size) ** 2 == grid.tokens == made["seq_len"]
    assert torch.equal(grid.patchify(stored["latent"]), stored["tokens"])
    assert torch.equal(grid.unpatchify(stored["tokens"]), stored["latent"])


def test_iterations_draw_as_many_tokens_as_the_reference(mar_set, close):
    for run in mar_set.json("token_schedule.json"):
        hidden = iteration_schedule(run["seq_len"], run["num_iter"])
        assert hidden[:-1] == run["masked_before_step"]
        assert [*hidden[1:-1], 1] == run["mask_len_after_step"]
        drawn = [before - after for before, after in pairwise(hidden)]
        assert drawn == run["tokens_predicted_per_step"]
        factors = [linear_guidance(3.0, run["seq_len"], after) for after in hidden[1:]]
        close(torch.tensor(factors), torch.tensor(run["cfg_linear_scale3_per_step"]))


def test_the_first_of_an_order_stay_hidden_longest(mar_set):
    stored = mar_set.arrays("token_schedule_masks.npz")
    for run in mar_set.json("token_schedule.json"):
        orders = stored[f"iter{run['num_iter']}.orders"]
        masks = stored[f"iter{run['num_iter']}.mask_before_step"]
        for hidden, mask in zip(
            iteration_schedule(run["seq_len"], run["num_iter"])[:-1], masks, strict=True
        ):
            expected = torch.zeros(orders.shape, dtype=torch.bool)
            assert torch.equal(expected.scatter(1, orders[:, :hidden], True), mask)


def test_mask_ratios_have_the_quantiles_of_the_truncated_normal(mar_set):
    stored = mar_set.json("config.json")["model"]["mask_ratio_distribution"]
    least = stored["quantile"][0]
    found = [truncated_normal_ratio(p, least) for p in stored["quantile_p"]]
    assert found == pytest.approx(stored["quantile"], abs=1e-9)
    drawn = torch.tensor(
        [truncated_normal_ratio((i + 0.5) / 2000, least) for i in range(2000)]
    ).double()
    assert float(drawn.mean()) == pytest.approx(stored["mean"], abs=1e-5)
    assert float(drawn.std()) == pytest.approx(stored["std"], abs=1e-4)


@pytest.mark.parametrize("name", ["mask_a", "mask_b", "all", "last"])
def test_encoder_and_decoder_match(model, vectors, close, name):
    _, z = decoded(model(), vectors, name, vectors["cond"].double())
    close(z, vectors[f"{name}.z_cond"])
    _, z = decoded(model(torch.float32), vectors, name, vectors["cond"])
    close(z, vectors[f"{name}.z_cond"], absolute=2e-5, relative=1e-4)


def test_what_lies_between_encoder_and_decoder_matches(model, vectors, close):
    generator = model()
    encoded, z = decoded(generator, vectors, "mask_a", vectors["cond"].double())
    close(encoded, vectors["mask_a.encoder_out"])
    before = z - generator.transformer.diffusion_pos_embed_learned
    close(before, vectors["mask_a.decoder_out_before_pos"])


def test_the_learned_stand_in_for_no_condition_matches(model, vectors, close):
    generator = model()
    without = generator.transformer.fake_latent.expand(len(vectors["cond"]), -1)
    _, z = decoded(generator, vectors, "mask_a", without)
    close(z, vectors["mask_a.z_cond_unconditional"])


def test_only_wanted_tokens_are_decoded_and_decoded_alike(model, vectors, close):
    generator = model()
    encoded, z = decoded(generator, vectors, "mask_a", vectors["cond"].double())
    mask = vectors["mask_a.mask"].bool()
    wanted = torch.stack([row.nonzero().flatten() for row in mask])
    part = generator.transformer.decode(encoded, known_places(mask), wanted)
    close(part, take(z, wanted), absolute=1e-12)


def test_the_embedding_of_phenotypes_is_one_linear_layer(model, mar_set, close):
    state = mar_set.state("model_state_dict.safetensors")
    weight, bias = state["class_emb.weight"], state["class_emb.bias"]
    phenotypes = torch.randn(3, weight.shape[1])
    generator = model(torch.float32, bypassed=False)
    close(generator.embed(phenotypes, torch.ones(3)), linear(phenotypes, weight, bias))


def test_denoiser_matches(model, vectors, close):
    net = model().head.net
    x, time, c = vectors["mlp.x"], vectors["mlp.t"], vectors["mlp.c"]
    close(net(x.double(), time, c.double()), vectors["mlp.out_f64"])
    for key in ("mlp.out", "mlp.out_f64"):
        close(net.float()(x, time, c), vectors[key], absolute=2e-5, relative=1e-4)
    close(time_features(time), vectors["mlp.timestep_embedding"], absolute=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("scale", ["3", "1.75"])
def test_guided_denoiser_matches(model, vectors, close, scale):
    """The stored call gives both halves the first one's x, and each its own time."""
    x, time, c = (vectors[f"mlp.{name}"] for name in ("x", "t", "c"))
    half = len(x) // 2
    for dtype, key, tolerance in (
        (torch.float32, "", {"absolute": 2e-5, "relative": 1e-4}),
        (torch.float64, "_f64", {}),
    ):
        expected = vectors.get(f"mlp.out_cfg{scale}{key}")
        if expected is None:
            continue
        denoiser = StepDenoiser(model(dtype).head.net, time.tolist(), dtype)
        condition = denoiser.condition(c.to(dtype))
        rows = [
            denoiser(x[row % half].to(dtype)[None], row, condition[row : row + 1], 1.0)
            for row in range(len(x))
        ]
        given, without = torch.cat(rows).split(half)
        noise = slice(0, x.shape[1])
        mixed = without[:, noise] + float(scale) * (given[:, noise] - without[:, noise])
        found = torch.cat((given, without))
        close(found[:, x.shape[1] :], expected[:, x.shape[1] :], **tolerance)
        close(mixed.repeat(2, 1), expected[:, noise], **tolerance)


def stored_noise(generator, vectors, dtype, drop=None):
    batch, tokens = vectors["train.orders"].shape
    shape = (-1, batch, tokens)
    return MarNoise(
        latent=torch.zeros(1, dtype=dtype),
        orders=vectors["train.orders"],
        hidden=hidden_count(float(vectors["train.mask_rate"]), tokens),
        drop=torch.ones(batch) if drop is None else drop,
        time=vectors["train.t"].view(shape),
        token=vectors["train.noise"].view(*shape, generator.grid.token_dim).to(dtype),
    )


def training_loss(generator, vectors, drop=None):
    dtype = generator.transformer.fake_latent.dtype
    latent = vectors["latent"].to(dtype)
    target = torch.cat((latent, torch.zeros_like(latent)), dim=1)
    condition = vectors["cond"].to(dtype, copy=True).requires_grad_()
    noise = stored_noise(generator, vectors, dtype, drop)
    return generator.loss(target, condition, noise=noise), condition


@pytest.fixture
def check_gradients(vectors, published, close):
    def check(generator, condition, prefix, **tolerance):
        names = [key.removeprefix(prefix) for key in vectors if key.startswith(prefix)]
        assert names
        parameters = dict(generator.named_parameters())
        for name in names:
            found = condition if name == "cond" else parameters[published.our_name(name)]
            close(found.grad, vectors[prefix + name], **tolerance)

    return check


def test_as_many_tokens_are_hidden_as_the_reference_hides(model, vectors):
    noise = stored_noise(model(), vectors, torch.float64)
    hidden = torch.zeros_like(vectors["train.mask"]).scatter(1, noise.orders[:, : noise.hidden], 1)
    assert torch.equal(hidden, vectors["train.mask"])


def test_training_loss_and_gradients_match(model, vectors, close, check_gradients):
    generator = model()
    result, condition = training_loss(generator, vectors)
    result.loss.backward()
    close(result.loss, vectors["train.loss_f64"])
    check_gradients(generator, condition, "train.grad.")


def test_training_loss_with_dropped_conditions_matches(model, vectors, close, check_gradients):
    generator = model(label_drop=0.5, dropout=0.0).train()
    result, condition = training_loss(generator, vectors, drop=vectors["train.drop_rand"])
    result.loss.backward()
    close(result.loss, vectors["train.loss_with_label_drop_f64"])
    check_gradients(generator, condition, "train.grad_label_drop.")


def test_training_loss_matches_in_float32(model, vectors, close, check_gradients):
    result, condition = training_loss(model(torch.float32), vectors)
    close(result.loss, vectors["train.loss"], absolute=0.0, relative=1e-5)
    dropping = model(torch.float32, label_drop=0.5, dropout=0.0).train()
    result, condition = training_loss(dropping, vectors, drop=vectors["train.drop_rand"])
    close(result.loss, vectors["train.loss_with_label_drop"], absolute=0.0, relative=1e-5)
    result.loss.backward()
    check_gradients(dropping, condition, "train.grad_label_drop.", absolute=1e-4, relative=1e-3)


@pytest.mark.parametrize(("dtype", "key"), [(torch.float64, "_f64"), (torch.float32, "")])
def test_both_parts_of_the_loss_match_token_by_token(model, vectors, close, dtype, key):
    generator = model(dtype)
    latent, condition = vectors["latent"].to(dtype), vectors["cond"].to(dtype)
    tokens, noise = generator.grid.patchify(latent), stored_noise(generator, vectors, dtype)
    known = noise.orders[:, noise.hidden :].sort(dim=1).values
    z = generator.transformer(
        take(tokens, known), known, condition, everywhere(vectors["train.mask"])
    )
    _, parts = generator.head.loss(
        tokens.flatten(0, 1), z.flatten(0, 1), noise.time.flatten(), noise.token.flatten(0, 2)
    )
    loose = {} if key else {"absolute": 2e-5, "relative": 1e-4}
    close(parts["mse"], vectors[f"train.mse_per_token{key}"], **loose)
    close(parts["bits"], vectors[f"train.vb_per_token{key}"], **loose)


def test_parameters_at_full_size_are_those_of_the_published_model(mar_set, published):
    table = mar_set.json("full_size_parameter_table.json")
    shapes = {row["name"]: row["shape"] for row in table["entries"]}
    assert sum(math.prod(shape) for shape in shapes.values()) == table["parameters_total"]
    expected = published.ours(shapes)
    channels = shapes["z_proj.weight"][1] // math.prod(table["config"]["patch_size"])
    with torch.device("meta"):
        generator = Mar(
            MarConfig(**published.options(table["config"], latent_channels=channels)),
            condition_dim=shapes["class_emb.weight"][1],
        )
    found = {name: list(one.shape) for name, one in generator.named_parameters()}
    assert found == expected
