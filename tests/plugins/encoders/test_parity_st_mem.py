"""ST-MEM against vectors of an independent implementation."""

import json
import re

import pytest
import torch

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_encoders.config import StMemConfig
from cardionets_encoders.leads import ALL_LEADS
from cardionets_encoders.masking import draw_masking
from cardionets_encoders.stmem import StMem
from cardionets_zoo.convert.st_mem import read_st_mem

pytestmark = pytest.mark.parity("st_mem")


@pytest.fixture(scope="module")
def vectors(st_mem_set):
    return st_mem_set.arrays("encoder_forward.npz")


@pytest.fixture(scope="module")
def mae_vectors(st_mem_set):
    return st_mem_set.arrays("mae_forward.npz")


@pytest.fixture(scope="module")
def weights(st_mem_set):
    leads = CANONICAL_LEADS[: st_mem_set.config["encoder"]["num_leads"]]
    return read_st_mem(st_mem_set.state("encoder_state_dict.safetensors"), leads)


@pytest.fixture(scope="module")
def mae_weights(st_mem_set):
    leads = CANONICAL_LEADS[: st_mem_set.config["mae"]["num_leads"]]
    return read_st_mem(st_mem_set.state("mae_state_dict.safetensors"), leads)


@pytest.fixture
def encoder(weights):
    model = StMem(StMemConfig(**weights.config)).double()
    model.load_state_dict(weights.encoder)
    return model


@pytest.fixture
def pretext(mae_weights, st_mem_set):
    def build(normalise_targets=True):
        ratio = st_mem_set.config["mae"]["mask_ratio"]
        config = {**mae_weights.config, "mask_ratio": ratio}
        encoder = StMem(StMemConfig(**config, normalise_targets=normalise_targets))
        model = encoder.pretext().double()
        model.encoder.load_state_dict(mae_weights.encoder)
        model.decoder.load_state_dict(mae_weights.decoder)
        return model

    return build


@pytest.fixture
def reconstruction(pretext, mae_vectors):
    model = pretext()
    patches = model.encoder.cut(mae_vectors["x"].double())
    return model.reconstruct(patches, mae_vectors["noise"], ALL_LEADS)


def recorded(module, inputs=False):
    """What goes into or comes out of a module, call by call."""
    seen = []
    module.register_forward_hook(
        lambda _, given, result: seen.append((given[0] if inputs else result).detach())
    )
    return seen


def named(vectors, pattern):
    """Number in the name and array, of every array whose name matches."""
    found = {int(m[1]): vectors[key] for key in vectors if (m := re.fullmatch(pattern, key))}
    assert found
    return found.items()


def test_shapes_of_the_checkpoint_give_the_configuration_it_was_made_with(weights, st_mem_set):
    made = st_mem_set.config["encoder"]
    config = StMemConfig(**weights.config)
    assert (config.width, config.depth, config.heads) == (
        made["width"], made["depth"], made["heads"],
    )  # fmt: skip
    assert (config.num_samples, config.patch_samples) == (made["seq_len"], made["patch_size"])
    assert round(config.width * config.mlp_ratio) == made["mlp_dim"]


def test_features_match_in_float64(encoder, vectors, close):
    close(encoder(vectors["x"].double()).pooled, vectors["features"])


def test_features_match_in_float32(encoder, vectors, loosely):
    pooled = encoder.float()(vectors["x"].float()).pooled
    loosely(pooled, vectors["features"])
    loosely(pooled, vectors["features_float32_run"])


def test_a_linear_head_on_the_features_gives_the_reference_logits(encoder, vectors, close):
    pooled = encoder(vectors["x"].double()).pooled
    logits = pooled @ vectors["head_weight"].double().T + vectors["head_bias"].double()
    close(logits, vectors["logits"])


def test_every_stage_matches(encoder, vectors, close):
    embedded = recorded(encoder.patch_embedding)
    entering = recorded(encoder.blocks[0], inputs=True)
    leaving = recorded(encoder.blocks[0])
    normed = recorded(encoder.norm, inputs=True)
    encoder(vectors["x"].double())
    close(embedded[0][:1], vectors["stage_patch_embedding_sample0"])
    close(entering[0][:1], vectors["stage_tokens_in_sample0"])
    close(leaving[0][:1], vectors["stage_block0_out_sample0"])
    pooled = next(given for given in normed if given.ndim == 2)
    close(pooled[:1], vectors["stage_pooled_before_norm_sample0"])


def test_shorter_inputs_use_the_first_positions_and_the_last(encoder, vectors, close):
    for samples, expected in named(vectors, r"features_len(\d+)"):
        close(encoder(vectors["x"].double()[..., :samples]).pooled, expected)


def test_leaving_out_leads_equals_a_model_built_without_them(encoder, vectors, close):
    x = vectors["x"].double()
    for count, expected in named(vectors, r"features_first(\d+)leads"):
        present = torch.arange(x.shape[1]) < count
        close(encoder(x, present).pooled, expected)
        # One complete record in the batch, so that absent leads are masked and not dropped.
        mask = present.repeat(len(x), 1)
        mask[-1] = True
        close(encoder(x, mask).pooled[:-1], expected[:-1])


def test_gradients_match(encoder, vectors, close):
    x = vectors["x"].double().requires_grad_()
    (encoder(x).pooled * vectors["grad_seed_r"].double()).sum().backward()
    expected = vectors["grad_x_sample0_leads0to2"]
    close(x.grad[0, : len(expected)], expected)
    close(encoder.lead_embedding.grad, vectors["grad_lead_embeddings"])
    close(encoder.separator.grad, vectors["grad_sep_embedding"])
    close(encoder.blocks[0].attention.qkv.bias.grad, vectors["grad_block0_qkv_bias"])


@pytest.mark.parametrize(
    ("normalise", "name"), [(True, "loss_norm_pix"), (False, "loss_no_norm_pix")]
)
def test_pretraining_loss_matches(pretext, mae_vectors, close, normalise, name):
    loss, _ = pretext(normalise)(mae_vectors["x"].double(), noise=mae_vectors["noise"])
    close(loss, mae_vectors[name])


def test_pretraining_loss_matches_in_float32(pretext, mae_vectors, loosely):
    loss, _ = pretext().float()(mae_vectors["x"], noise=mae_vectors["noise"])
    loosely(loss, mae_vectors["loss_norm_pix"])


def test_the_same_noise_hides_the_same_patches(mae_vectors, st_mem_set):
    masking = draw_masking(mae_vectors["noise"], st_mem_set.config["mae"]["mask_ratio"])
    assert masking.kept.shape[-1] == st_mem_set.config["mae"]["len_keep"]
    assert torch.equal(masking.hidden, mae_vectors["mask"].bool())
    assert torch.equal(masking.restore, mae_vectors["ids_restore"])


def test_latent_and_prediction_match(reconstruction, mae_vectors, close):
    close(reconstruction.latent.flatten(1, 2), mae_vectors["latent"])
    close(reconstruction.predicted, mae_vectors["pred"])


def test_latent_matches_when_nothing_is_hidden(pretext, mae_vectors, close):
    encoder = pretext().encoder
    patches = encoder.cut(mae_vectors["x"].double())
    tokens = encoder.norm(encoder.encode(patches, encoder.position_table[1:-1], ALL_LEADS))
    expected = mae_vectors["latent_mask_ratio0_sample0_first40"]
    close(tokens.flatten(1, 2)[:1, : expected.shape[1]], expected)


def test_pretraining_gradients_match(pretext, mae_vectors, st_mem_set, close):
    model = pretext()
    model(mae_vectors["x"].double(), noise=mae_vectors["noise"]).loss.backward()
    source = st_mem_set.state("mae_state_dict.safetensors")
    ours = [*model.named_parameters(), *lead_vectors(model.encoder)]
    names = [key for key in mae_vectors if key.startswith("grad.")]
    assert names
    for key in names:
        # The same values are the same parameter: the reference's are random.
        value = source[key.removeprefix("grad.")].flatten().double()
        gradient = next(p.grad for _, p in ours if torch.equal(p.detach().flatten(), value))
        close(gradient.flatten(), mae_vectors[key].flatten())


def lead_vectors(encoder):
    """Each lead's embedding as if it were a parameter of its own."""
    table = encoder.lead_embedding
    for index, vector in enumerate(table.detach().clone()):
        vector.grad = table.grad[index]
        yield f"lead {index}", vector


def test_tables_at_construction_match(mae_weights, mae_vectors, close):
    model = StMem(StMemConfig(**mae_weights.config)).pretext()
    close(model.encoder.position_table, mae_vectors["init_encoder_pos_embedding"][0])
    close(model.decoder.position_table, mae_vectors["init_decoder_pos_embed"][0])


@pytest.fixture(scope="module")
def published(st_mem_set):
    """Names and shapes of the published ViT-B, as tensors that take no memory."""
    table = json.loads((st_mem_set.folder / "vit_base_parameter_table.json").read_text())

    def state(entries):
        return {entry["name"]: torch.zeros(()).expand(entry["shape"]) for entry in entries}

    return table, state


def test_our_base_size_is_the_published_encoder(published):
    table, state = published
    weights = read_st_mem(state([*table["encoder"]["entries"], *table["head_extra"]]))
    assert set(weights.dropped) == {entry["name"] for entry in table["head_extra"]}
    with torch.device("meta"):
        model = StMem(StMemConfig())
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert {name: tensor.shape for name, tensor in weights.encoder.items()} == shapes
    total = table["encoder"]["parameters_total"]
    assert sum(parameter.numel() for parameter in model.parameters()) == total
    assert StMemConfig(**weights.config) == StMemConfig()


def test_our_base_pretraining_model_is_the_published_one(published):
    table, state = published
    weights = read_st_mem(state(table["full"]["entries"]))
    with torch.device("meta"):
        model = StMem(StMemConfig()).pretext()
    shapes = {name: tensor.shape for name, tensor in model.decoder.state_dict().items()}
    assert {name: tensor.shape for name, tensor in weights.decoder.items()} == shapes
    total = sum(tensor.numel() for tensor in model.state_dict().values())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert total == table["full"]["parameters_total"]
    assert trained == table["full"]["trainable_total"]
    assert StMemConfig(**weights.config) == StMemConfig()
