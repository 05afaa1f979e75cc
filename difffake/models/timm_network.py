"""Making a timm network, with clear messages if it cannot be made."""

from typing import Any

from torch import nn

from difffake.errors import UserError


def create_timm(name: str, image_size: int, pretrained: bool, drop_path: float | None) -> nn.Module:
    """Make a timm network without classifier.

    Args:
        name: timm name with or without the tag of its weights, such as `tf_efficientnet_b4.ap_in1k`.
        image_size: side of the images in pixels, for networks that are built for one size.
        pretrained: download the weights of the tag; if the name has no tag, timm chooses one.
        drop_path: rate of stochastic depth; None: timm's default for the network.

    Raises:
        UserError: timm does not have the name, tag or setting, or the weights cannot be downloaded.
    """
    import timm  # imported here, so that `lean_timm` can provide a small part of it

    if name.startswith("{"):
        raise UserError(f'encoder {name} must have "class_path" and, if it takes any, "init_args"; nothing else')
    if not timm.is_model(name):
        similar = timm.list_models(f"*{name.split('_')[0]}*")[:3]
        advice = f"such as {', '.join(similar)}" if similar else "see timm.list_models()"
        raise UserError(f"encoder {name} is not a timm network: choose one, {advice}")
    settings: dict[str, Any] = {"num_classes": 0, "img_size": image_size}
    if drop_path is not None:
        settings["drop_path_rate"] = drop_path
    try:
        try:
            return timm.create_model(name, pretrained=pretrained, **settings)
        except TypeError as error:
            if "'img_size'" not in str(error):
                raise
            del settings["img_size"]  # convolutional networks have none
            return timm.create_model(name, pretrained=pretrained, **settings)
    except TypeError as error:
        if "'drop_path_rate'" not in str(error):
            raise
        raise UserError(f"--model.drop_path: encoder {name} has no stochastic depth: leave it out") from error
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        reason = first_line(error)
        if "Invalid pretrained tag" in reason:
            raise UserError(f"encoder {name}: timm has no weights of that tag, but {', '.join(tags(name))}") from error
        if pretrained:
            raise UserError(
                f"the weights of encoder {name} cannot be downloaded ({reason}): offline, give --model.weights a file, "
                "or none"
            ) from error
        raise UserError(f"encoder {name} cannot be made for images of {image_size} px ({reason})") from error


def tags(name: str) -> list[str]:
    """Names with tags of all weights that timm has for a network."""
    import timm

    return list(timm.list_pretrained(f"{name.split('.')[0]}.*"))


def first_line(error: Exception) -> str:
    """The first line of an error's message, or the error's class if there is no message."""
    return (str(error).splitlines() or [type(error).__name__])[0]
