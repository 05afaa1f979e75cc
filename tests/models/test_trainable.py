"""Frozen parts of an encoder stay as they are, cost no memory, and what learns is what was asked for."""

import copy

import pytest
import torch
from torch import Tensor, nn

from difffake.errors import UserError
from difffake.models.detector import Detector, DetectorConfig, build_detector

NETWORKS = {"resnet10t": 4, "tf_efficientnet_lite0": 16, "convnext_atto": 12, "vit_tiny_patch16_224": 12}
"""With how many blocks: residual blocks (ResNet [1, 1, 1, 1], EfficientNet-B0's 16, ConvNeXt [2, 2, 6, 2]), layers."""
SIZE = 64


def build(name: str, trainable: str) -> Detector:
    torch.manual_seed(0)
    return build_detector(DetectorConfig(name, SIZE, trainable=trainable)).train()


def learning(detector: Detector) -> set[str]:
    """Parameters of the network that learn. The head always does."""
    assert all(p.requires_grad for p in detector.head.parameters())
    return {name for name, parameter in detector.encoder.network.named_parameters() if parameter.requires_grad}


def step(detector: Detector) -> int:
    """One step of SGD on random images; gives the bytes of activations that were kept for the backward pass."""
    kept: dict[int, int] = {}
    weights = {p.untyped_storage().data_ptr() for p in detector.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    learned = [p for p in detector.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.1)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = detector(images)
    (output.logit * torch.tensor([1.0, -2.0])).sum().backward()
    # A rank of several waits for the gradient of every parameter that learns.
    assert all(p.grad is not None for p in learned)
    assert all(p.grad is None for p in detector.parameters() if not p.requires_grad)
    optimizer.step()
    return sum(kept.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_what_learns_and_what_it_costs(name: str) -> None:
    memory = {}
    for trainable in ("all", "norm", "last_blocks 2", "last_blocks 1", "head"):
        detector = build(name, trainable)
        before = copy.deepcopy(detector.encoder.network.state_dict())
        names = learning(detector)
        memory[trainable] = step(detector)
        after = detector.encoder.network.state_dict()
        moved = {key for key in before if not torch.equal(before[key], after[key])}
        # Batch statistics move where their layer learns, and nowhere else.
        owners = {key.rpartition(".")[0] for key in names}
        assert {key.rpartition(".")[0] for key in moved} <= owners
        buffers = {key for key in after if "running_" in key}
        assert {key for key in buffers if key.rpartition(".")[0] in owners} == moved & buffers
        detector.eval().train()
        assert detector.encoder.training
        assert all(not layer.training for layer in detector.encoder.network.modules()) == (trainable == "head")
    # Of a frozen encoder nothing is kept but what the head itself keeps: the embedding, which may be a view of the map.
    with torch.no_grad():
        native = detector.encoder.network.forward_features(torch.rand(2, 3, SIZE, SIZE))
    assert memory["head"] <= native.nbytes
    assert memory["last_blocks 1"] < 0.2 * memory["all"]
    assert memory["head"] < memory["last_blocks 1"] < memory["last_blocks 2"] < memory["norm"] < memory["all"]


@pytest.mark.parametrize(("name", "blocks"), NETWORKS.items())
def test_blocks_are_counted(name: str, blocks: int) -> None:
    network = build(name, "all").encoder.network
    everything = {key for key, _ in network.named_parameters()}
    most = learning(build(name, f"last_blocks {blocks}"))
    stem = everything - most
    assert stem
    assert all(key.startswith(("conv", "bn1", "stem", "patch_embed", "pos_embed", "cls_token")) for key in stem)
    fewer = learning(build(name, f"last_blocks {blocks - 1}"))
    assert fewer < most
    with pytest.raises(UserError, match=f"last_blocks {blocks + 1}: encoder {name} has {blocks} blocks"):
        build(name, f"last_blocks {blocks + 1}")


def test_the_last_block_is_the_last_one_and_the_norm_after_it() -> None:
    names = learning(build("vit_tiny_patch16_224", "last_blocks 1"))
    assert {key.split(".")[0] for key in names} == {"blocks", "norm"}
    assert {key.split(".")[1] for key in names if key.startswith("blocks")} == {"11"}
    names = learning(build("tf_efficientnet_lite0", "last_blocks 2"))
    assert {".".join(key.split(".")[:3]) for key in names if key.startswith("blocks")} == {"blocks.5.3", "blocks.6.0"}
    assert {key.split(".")[0] for key in names} == {"blocks", "conv_head", "bn2"}


def test_norm_is_scale_and_shift_of_normalization_layers() -> None:
    """Two of each layer of a transformer, the last one's, and nothing else: as in GenD."""
    wanted = {f"blocks.{n}.norm{k}.{part}" for n in range(12) for k in (1, 2) for part in ("weight", "bias")}
    assert learning(build("vit_tiny_patch16_224", "norm")) == wanted | {"norm.weight", "norm.bias"}
    network = build("tf_efficientnet_lite0", "all").encoder.network
    batch = {
        f"{key}.{part}"
        for key, layer in network.named_modules()
        if isinstance(layer, nn.BatchNorm2d)
        for part in ("weight", "bias")
    }
    assert learning(build("tf_efficientnet_lite0", "norm")) == batch


@pytest.mark.parametrize("text", ["last_blocks", "last_blocks 0", "last_blocks -1", "lastblocks 2", "norms", ""])
def test_unknown_texts_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="write all, norm, head, or last_blocks N"):
        build("resnet10t", text)


def test_a_network_without_such_parts_is_refused() -> None:
    with pytest.raises(UserError, match="encoder vgg11 has no normalization layers"):
        build("vgg11", "norm")
