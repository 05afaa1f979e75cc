"""Choosing where a model runs."""

import torch

from difffake.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU if there is one, else the CPU; any torch name is taken as it is.

    Raises `UserError` for a name that torch does not know or a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name} cannot be used ({str(error).splitlines()[0]}): try auto or cpu") from error
    return device
