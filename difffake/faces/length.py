"""How long a video is."""

from pathlib import Path

from difffake.faces.decoding import opened


def video_seconds(path: Path) -> float:
    """Seconds from the first frame of a video to the last one, by its packets; nothing is decoded.

    What the header claims is not believed. Raises `UserError` if the file is no video.
    """
    import av

    with opened(path, 1) as (container, stream):
        times, packets = [], 0
        try:
            for packet in container.demux(stream):
                if packet.size:
                    packets += 1
                    if packet.pts is not None:
                        times.append(packet.pts)
        except (av.FFmpegError, OSError):
            pass  # the rest is missing or damaged
        by_time = float((max(times) - min(times)) * stream.time_base) if times and stream.time_base else 0.0
        return max(by_time, packets / float(stream.average_rate or 25) if not times else 0.0)
