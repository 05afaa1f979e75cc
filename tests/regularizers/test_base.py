"""The interface of regularizers."""

import pytest

from difffake.regularizers.base import Regularizer


def test_a_regularizer_without_losses_cannot_be_made() -> None:
    class NoLosses(Regularizer):
        """It has no `forward`."""

    with pytest.raises(TypeError, match=r"NoLosses.*forward"):
        NoLosses(None, None)  # type: ignore[abstract,arg-type]
