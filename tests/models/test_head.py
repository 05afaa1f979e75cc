"""Heads against NumPy."""

import numpy as np
import torch

from difffake.models.head import CosineHead, build_head


def test_cosine_head_is_the_scaled_angle() -> None:
    torch.manual_seed(0)
    head = CosineHead(5)
    with torch.no_grad():
        head.bias.fill_(0.3)
        head.scale.fill_(7.0)
    z = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    w = head.weight.detach().numpy()[0]
    wanted = [7.0 * float(row @ w) / (np.linalg.norm(row) * np.linalg.norm(w)) + 0.3 for row in z]
    found = head(torch.from_numpy(z))
    np.testing.assert_allclose(found.detach().numpy()[:, 0], wanted, rtol=1e-5)
    # The length of an embedding says nothing; gradients reach w, s and b.
    torch.testing.assert_close(head(torch.from_numpy(z * 9)), found)
    found.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_linear_head_keeps_its_names_and_is_torchs_own() -> None:
    torch.manual_seed(0)
    head = build_head("linear", 6, 0.4)
    assert list(head.state_dict()) == ["1.weight", "1.bias"]
    assert head[0].p == 0.4
    torch.manual_seed(0)
    own = torch.nn.Linear(6, 1)
    assert torch.equal(head[1].weight, own.weight)
    assert set(build_head("cosine", 6, 0.0).state_dict()) == {"1.weight", "1.bias", "1.scale"}
