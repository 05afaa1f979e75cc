"""Compression, the same for real and forged faces: H.264 at a fixed quality; a still is a clip of one frame."""

import io
from collections.abc import Sequence

import av
import numpy as np

from difffake.forge.tools.face import Image

CRF: dict[str, int | None] = {"raw": None, "c23": 23, "c40": 40}
"""Constant rate factor of each compression, with the names of FaceForensics++; raw is not compressed."""


def compress(frames: Sequence[Image], crf: int | None) -> list[Image]:
    """Encode and decode frames (H, W, 3) uint8 RGB, all of the same even size, with H.264 (x264, medium, 4:2:0)."""
    if crf is None:
        return list(frames)
    height, width = frames[0].shape[:2]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        # With several threads, the output depends on their number, and with mbtree it differs from run to run. Without
        # mbtree, a clip has about the same error, and a still has the error of a clip (docs/methods/testbed.md).
        options = {"crf": str(crf), "threads": "1", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]
