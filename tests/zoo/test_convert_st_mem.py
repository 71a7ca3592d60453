"""Published ST-MEM checkpoints, under our names and with their licence."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.errors import WeightsError
from cardionets_core.weights.header import read_header
from cardionets_core.weights.load import load
from cardionets_zoo.convert.st_mem import convert_st_mem, read_st_mem
from cardionets_zoo.convert.st_mem_import import import_st_mem
from cardionets_zoo.convert.untrusted import load_untrusted

WIDTH, PATCH, PATCHES = 16, 5, 6


def blocks(prefix, width, depth, inner):
    for index in range(depth):
        block = f"{prefix}{index}."
        yield f"{block}attn.norm.weight", (width,)
        yield f"{block}attn.norm.bias", (width,)
        yield f"{block}attn.fn.to_qkv.weight", (3 * inner, width)
        yield f"{block}attn.fn.to_qkv.bias", (3 * inner,)
        yield f"{block}attn.fn.to_out.0.weight", (width, inner)
        yield f"{block}attn.fn.to_out.0.bias", (width,)
        yield f"{block}ff.norm.weight", (width,)
        yield f"{block}ff.norm.bias", (width,)
        yield f"{block}ff.fn.net.0.weight", (4 * width, width)
        yield f"{block}ff.fn.net.0.bias", (4 * width,)
        yield f"{block}ff.fn.net.3.weight", (width, 4 * width)
        yield f"{block}ff.fn.net.3.bias", (width,)


def encoder_shapes():
    yield "pos_embedding", (1, PATCHES + 2, WIDTH)
    yield "sep_embedding", (WIDTH,)
    for part, shape in ((".1", (PATCH,)), (".2", (WIDTH, PATCH)), (".3", (WIDTH,))):
        yield f"to_patch_embedding{part}.weight", shape
        yield f"to_patch_embedding{part}.bias", shape[:1]
    for lead in range(12):
        yield f"lead_embeddings.{lead}", (WIDTH,)
    yield from blocks("block", WIDTH, 2, 128)
    yield "norm.weight", (WIDTH,)
    yield "norm.bias", (WIDTH,)


def decoder_shapes():
    yield "mask_embedding", (1, 1, 8)
    yield "decoder_pos_embed", (1, PATCHES + 2, 8)
    yield "to_decoder_embedding.weight", (8, WIDTH)
    yield "to_decoder_embedding.bias", (8,)
    yield from blocks("decoder_blocks.", 8, 1, 64)
    yield "decoder_norm.weight", (8,)
    yield "decoder_norm.bias", (8,)
    yield "decoder_head.weight", (PATCH, 8)
    yield "decoder_head.bias", (PATCH,)


@pytest.fixture
def encoder_state():
    rng = torch.Generator().manual_seed(5)
    return {name: torch.randn(shape, generator=rng) for name, shape in encoder_shapes()}


@pytest.fixture
def full_state(encoder_state):
    rng = torch.Generator().manual_seed(6)
    decoder = {name: torch.randn(shape, generator=rng) for name, shape in decoder_shapes()}
    doubled = {n: t for n, t in encoder_state.items() if n.startswith("to_patch_embedding.")}
    return {f"encoder.{n}": t for n, t in encoder_state.items()} | doubled | decoder


@pytest.fixture
def converted(encoder_state):
    return convert_st_mem(encoder_state)


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def test_every_number_is_carried_over(encoder_state, converted):
    total = sum(tensor.numel() for tensor in encoder_state.values())
    assert sum(tensor.numel() for tensor in converted.values()) == total


def test_the_shapes_give_the_options(full_state):
    weights = read_st_mem(full_state)
    assert weights.config == {
        "width": WIDTH, "depth": 2, "heads": 2, "head_dim": 64, "mlp_ratio": 4.0,
        "patch_samples": PATCH, "num_samples": PATCH * PATCHES, "sampling_rate_hz": 250,
        "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 1, "decoder_head_dim": 64,
        "leads": CANONICAL_LEADS,
    }  # fmt: skip


def test_a_head_is_dropped_and_named(encoder_state, converted):
    head = {"head.weight": torch.ones(3, WIDTH), "head.bias": torch.ones(3)}
    weights = read_st_mem(encoder_state | head)
    assert weights.dropped == ("head.bias", "head.weight")
    assert same(weights.encoder, converted)


def test_a_full_checkpoint_holds_the_same_encoder(full_state, converted):
    weights = read_st_mem(full_state)
    assert same(weights.encoder, converted)
    assert len(weights.dropped) == 6
    assert weights.decoder["mask_token"].shape == (8,)


def test_the_prefix_of_data_parallelism_does_not_matter(full_state, converted):
    assert same(convert_st_mem({f"module.{n}": t for n, t in full_state.items()}), converted)


def test_a_patch_embedding_that_differs_from_its_copy_is_refused(full_state):
    full_state["to_patch_embedding.2.bias"] = torch.zeros(WIDTH)
    with pytest.raises(WeightsError, match=r"to_patch_embedding\.2\.bias differs from encoder\."):
        convert_st_mem(full_state)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lead_embeddings.11", "11 lead embeddings found, one each for I, II"),
        ("pos_embedding", "no tensor for 'position_table'"),
        ("block0.ff.fn.net.0.weight", r"no tensor for 'blocks\.0\.mlp\.expand\.weight'"),
    ],
)
def test_a_missing_tensor_is_named(encoder_state, name, message):
    del encoder_state[name]
    with pytest.raises(WeightsError, match=message):
        convert_st_mem(encoder_state)


@pytest.mark.parametrize("name", ["cls_token", "block0.attn.fn.extra.weight", "block.norm.weight"])
def test_an_unknown_tensor_is_named(encoder_state, name):
    encoder_state[name] = torch.zeros(1)
    with pytest.raises(WeightsError, match=f"'{name}' is none of ST-MEM's"):
        convert_st_mem(encoder_state)


def test_heads_of_another_width_are_refused(encoder_state):
    encoder_state["block0.attn.fn.to_qkv.weight"] = torch.zeros(3 * 100, WIDTH)
    with pytest.raises(WeightsError, match="100 wide on tokens of 16"):
        convert_st_mem(encoder_state)


@pytest.mark.parametrize("form", ["safetensors", "bare", "container"])
def test_tensors_are_read_from_every_form_of_a_checkpoint(encoder_state, tmp_path, form):
    path = tmp_path / ("st_mem.safetensors" if form == "safetensors" else "st_mem.pth")
    if form == "safetensors":
        save_file(encoder_state, path)
    elif form == "bare":
        torch.save(encoder_state, path)
    else:
        rest = {"epoch": 3, "optimizer": None, "scaler": None, "config": {"lr": 1e-3}}
        torch.save({**rest, "model": encoder_state}, path)
    assert same(load_untrusted(path), encoder_state)


class RunsWhenOpened:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(encoder_state, tmp_path):
    witness = tmp_path / "opened"
    path = tmp_path / "st_mem.pth"
    torch.save({"model": encoder_state, "config": RunsWhenOpened(witness)}, path)
    with pytest.raises(WeightsError, match="could run any code"):
        load_untrusted(path)
    bare = tmp_path / "bare.pt"
    bare.write_bytes(pickle.dumps(RunsWhenOpened(witness), protocol=2))
    with pytest.raises(WeightsError):
        load_untrusted(bare)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pth", {"model": {"epoch": 3}}, "'epoch' is int"),
        ("a.pth", [torch.ones(2)], "holds list"),
        ("a.pt", {}, "holds dict"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, name, content, message):
    torch.save(content, tmp_path / name)
    with pytest.raises(WeightsError, match=message):
        load_untrusted(tmp_path / name)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_a_file_cut_short_is_refused(encoder_state, tmp_path, name):
    path = tmp_path / name
    (save_file if name.endswith("s") else torch.save)(encoder_state, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(WeightsError, match=r"cut short|broken"):
        load_untrusted(path)


def test_another_suffix_or_no_file_is_refused(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"'\.ckpt' found, but \.safetensors"):
        load_untrusted(tmp_path / "a.ckpt")
    with pytest.raises(WeightsError, match="no such file"):
        load_untrusted(tmp_path / "b.pth")


def test_an_imported_checkpoint_loads_with_licence_and_transform(full_state, converted, tmp_path):
    source = tmp_path / "st_mem_full.pth"
    torch.save({"model": full_state, "epoch": 1}, source)
    report = import_st_mem(source, tmp_path / "out")
    assert report.out == tmp_path / "out.safetensors"
    assert "non-commercial (CC BY-NC 4.0)" in str(report)
    assert "the pre-training decoder" in str(report)
    header = read_header(report.out)
    assert header.licence == "CC-BY-NC-4.0"
    assert header.transform["config"]["filter_order"] == "crop-then-filter"
    assert header.transform["config"]["resampling"] == "fourier"
    encoder = load(report.out)
    assert same(encoder.state_dict(), converted)
    assert encoder.num_samples == PATCH * PATCHES


def test_the_file_does_not_tell_where_the_checkpoint_lay(encoder_state, tmp_path):
    source = tmp_path / "st_mem.safetensors"
    save_file(encoder_state, source)
    report = import_st_mem(source, tmp_path / "out.safetensors")
    assert str(tmp_path) not in read_header(report.out).model_dump_json()


def test_a_checkpoint_of_contradicting_shapes_writes_nothing(encoder_state, tmp_path):
    encoder_state["block1.ff.norm.weight"] = torch.ones(WIDTH + 1)
    save_file(encoder_state, tmp_path / "in.safetensors")
    with pytest.raises(WeightsError, match=r"blocks\.1\.mlp_norm\.weight"):
        import_st_mem(tmp_path / "in.safetensors", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]


@pytest.mark.parity("st_mem")
def test_the_reference_checkpoint_imports_and_gives_its_features(tmp_path):
    import numpy as np

    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no reference vectors to compare with")
    folder = Path(root) / "st_mem"
    report = import_st_mem(folder / "encoder_state_dict.safetensors", tmp_path / "out")
    encoder = load(report.out)
    with np.load(folder / "encoder_forward.npz") as stored:
        x, expected = torch.from_numpy(stored["x"]), torch.from_numpy(stored["features"])
    with torch.no_grad():
        pooled = encoder(x).pooled
    torch.testing.assert_close(pooled.double(), expected, atol=2e-5, rtol=1e-4)
