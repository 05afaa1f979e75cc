"""Choice of the device."""

import torch

from difffake.errors import UserError


def choose_device(name: str) -> torch.device:
    """The device of a name: `auto` for the GPU if there is one, else the CPU; or any name of torch.

    Raises `UserError` if torch does not know the name, or if the device does not exist.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:160]  # torch may name all devices that it was ever built for
        raise UserError(f"--device {name} cannot be used ({reason}): try auto or cpu") from error
    return device
