"""One network of timm without the others."""

import subprocess
import sys

CODE = """
import sys
import torch
from difffake.models.lean_timm import lean_timm

def features(timm, name):
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=0).eval()
    with torch.no_grad():
        return network.forward_features(torch.linspace(-1, 1, 3 * 224 * 224).view(1, 3, 224, 224)), network

lean = []
for name in sys.argv[1:]:
    with lean_timm(name):
        import timm
        lean.append(features(timm, name))
heavy = {"timm", "torchvision", "torch._dynamo", "sympy", "wandb", "scipy", "pandas"}
print(sorted(heavy & set(sys.modules)))
import timm
for name, (found, network) in zip(sys.argv[1:], lean):
    expected, whole = features(timm, name)
    whole.load_state_dict(network.state_dict())
    print(name, torch.equal(found, expected))
"""


def test_the_network_is_the_same_and_the_rest_is_not_imported() -> None:
    """In a process of its own, as timm must not have been imported; afterwards the whole of it can be."""
    names = ["mobilenetv3_small_050", "vit_tiny_patch16_224.augreg_in21k", "convnext_atto"]
    answer = subprocess.run([sys.executable, "-c", CODE, *names], capture_output=True, text=True, check=False)
    assert answer.stdout.splitlines() == ["[]", *(f"{name} True" for name in names)], answer.stderr


def test_an_unknown_name_gets_the_whole_of_timm() -> None:
    code = "from difffake.models.lean_timm import lean_timm\nwith lean_timm('no_such'):\n    import timm\n"
    code += "    print(timm.is_model('resnet18'), timm.is_model('no_such'))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "True False\n"
