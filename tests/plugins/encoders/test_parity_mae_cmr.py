"""The cine encoder and its masked autoencoder against vectors of timm and of MAE."""

import pytest
import torch

from cardionets_encoders.config import VitCmrConfig
from cardionets_encoders.masking import draw_masking
from cardionets_encoders.vit_cmr import VitCmr

pytestmark = pytest.mark.parity("mae_cmr")

OURS_FOR_MAES = (
    ("decoder_embed.", "decoder.embed."),
    ("decoder_blocks.", "decoder.blocks."),
    ("decoder_norm.", "decoder.norm."),
    ("decoder_pred.", "decoder.project."),
    ("decoder_pos_embed", "decoder.pos_embed"),
    ("mask_token", "decoder.mask_token"),
)


def our_name(name):
    for theirs, ours in OURS_FOR_MAES:
        if name.startswith(theirs):
            return name.replace(theirs, ours, 1)
    return f"encoder.{name}"


def config_of(made, **options):
    return VitCmrConfig(
        image_size=made["img_size"],
        patch=made["patch_size"],
        frames=made["in_chans"],
        width=made["embed_dim"],
        depth=made["depth"],
        heads=made["num_heads"],
        mlp_ratio=made["mlp_ratio"],
        **options,
    )


def cine(vectors):
    return vectors["x_uint8"].double() / 127.5 - 1


@pytest.fixture(scope="module")
def vectors(mae_cmr_set):
    return mae_cmr_set.arrays("encoder_forward.npz")


@pytest.fixture(scope="module")
def mae_vectors(mae_cmr_set):
    return mae_cmr_set.arrays("pretrain_forward.npz")


@pytest.fixture
def encoder(mae_cmr_set):
    def build(pooling="cls"):
        model = VitCmr(config_of(mae_cmr_set.config["encoder"], pooling=pooling)).double()
        model.load_state_dict(mae_cmr_set.state("encoder_state_dict.safetensors"))
        return model

    return build


@pytest.fixture
def untrained(mae_cmr_set):
    def build(normalise_targets=True):
        made = mae_cmr_set.config["pretrain"]
        decoder = {
            "decoder_width": made["decoder_embed_dim"],
            "decoder_depth": made["decoder_depth"],
            "decoder_heads": made["decoder_num_heads"],
        }
        return VitCmr(
            config_of(
                made,
                **decoder,
                mask_ratio=made["mask_ratio"],
                normalise_targets=normalise_targets,
            )
        ).pretext()

    return build


@pytest.fixture
def pretext(untrained, mae_cmr_set):
    def build(normalise_targets=True):
        state = mae_cmr_set.state("pretrain_state_dict.safetensors")
        renamed = {our_name(name): tensor for name, tensor in state.items()}
        renamed["decoder.mask_token"] = renamed["decoder.mask_token"].flatten()
        model = untrained(normalise_targets).double()
        model.load_state_dict(renamed)
        return model

    return build


@pytest.fixture
def reconstruction(pretext, mae_vectors):
    model = pretext()
    return model.reconstruct(model.patchify(cine(mae_vectors)), mae_vectors["noise"])


def test_cls_and_patch_tokens_match_in_float64(encoder, vectors, close):
    features = encoder()(cine(vectors))
    close(features.pooled, vectors["cls"])
    close(features.tokens, vectors["patches"])


def test_cls_matches_in_float32(encoder, vectors, loosely):
    pooled = encoder().float()(cine(vectors).float()).pooled
    loosely(pooled, vectors["cls"])
    loosely(pooled, vectors["cls_float32_run"])


def test_every_stage_matches(encoder, vectors, close):
    model = encoder()
    close(model.patch_embed(cine(vectors)), vectors["patch_embedding"])
    seen = []
    model.blocks[0].register_forward_hook(lambda _, given, result: seen.append(result))
    model.norm.register_forward_hook(lambda _, given, result: seen.append(given[0]))
    model(cine(vectors))
    close(seen[0], vectors["block0_out"])
    close(seen[1], vectors["tokens_before_final_norm"])


def test_cls_before_norm_is_the_first_token_that_enters_the_norm(encoder, vectors, close):
    pooled = encoder("cls-before-norm")(cine(vectors)).pooled
    close(pooled, vectors["tokens_before_final_norm"][:, 0])


def test_flattened_patches_are_the_patch_tokens_in_a_row(encoder, vectors, close):
    close(encoder("flatten")(cine(vectors)).pooled, vectors["patches"].flatten(1))


@pytest.mark.parametrize(
    ("normalise", "name"), [(True, "loss_norm_pix"), (False, "loss_no_norm_pix")]
)
def test_pretraining_loss_matches(pretext, mae_vectors, close, normalise, name):
    loss, _ = pretext(normalise)(cine(mae_vectors), noise=mae_vectors["noise"])
    close(loss, mae_vectors[name])


def test_pretraining_loss_matches_in_float32(pretext, mae_vectors, loosely):
    loss, _ = pretext().float()(cine(mae_vectors).float(), noise=mae_vectors["noise"])
    loosely(loss, mae_vectors["loss_norm_pix"])


def test_the_same_noise_hides_the_same_patches(mae_vectors, mae_cmr_set):
    masking = draw_masking(mae_vectors["noise"], mae_cmr_set.config["pretrain"]["mask_ratio"])
    assert masking.kept.shape[-1] == mae_cmr_set.config["pretrain"]["len_keep"]
    assert torch.equal(masking.hidden, mae_vectors["mask"].bool())
    assert torch.equal(masking.restore, mae_vectors["ids_restore"])


def test_targets_are_cut_row_column_channel(pretext, mae_vectors, close):
    patches = pretext().patchify(cine(mae_vectors))
    expected = mae_vectors["target_patchified_sample0_first4"]
    close(patches[:1, : expected.shape[1]], expected)


def test_latent_and_prediction_match(reconstruction, mae_vectors, close):
    close(reconstruction.latent, mae_vectors["latent"])
    expected = mae_vectors["pred"]
    close(reconstruction.predicted[: len(expected)], expected)


def test_pretraining_gradients_match(pretext, mae_vectors, close):
    model = pretext()
    model(cine(mae_vectors), noise=mae_vectors["noise"]).loss.backward()
    parameters = dict(model.named_parameters())
    names = [key for key in mae_vectors if key.startswith("grad.")]
    assert names
    for key in names:
        gradient = parameters[our_name(key.removeprefix("grad."))].grad
        close(gradient.flatten(), mae_vectors[key].flatten())


def test_tables_at_construction_match(untrained, mae_vectors, close):
    model = untrained()
    close(model.encoder.pos_embed, mae_vectors["init_pos_embed"])
    close(model.decoder.pos_embed, mae_vectors["init_decoder_pos_embed"])
