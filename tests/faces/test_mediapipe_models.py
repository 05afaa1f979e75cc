"""What MediaPipe prints is dropped, and nothing else; and it reports nothing."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from difffake.faces.mediapipe_models import silent_stderr, without_reports


def test_the_silence_of_two_threads_ends_with_the_last(capfd: pytest.CaptureFixture[str]) -> None:
    begun, first_ends, second_ends = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with silent_stderr():
            begun.set()
            assert first_ends.wait(5)

    def second() -> None:
        with silent_stderr():
            assert second_ends.wait(5)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert begun.wait(5)
        other = pool.submit(second)
        threading.Event().wait(0.1)  # time to begin, if it may
        os.write(2, b"dropped")
        first_ends.set()
        one.result(5)
        second_ends.set()
        other.result(5)
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_mediapipe_finds_no_certificates_to_send_reports_with() -> None:
    from mediapipe.tasks.python.core.base_options import BaseOptions

    usual, own = (kind(model_asset_path="x").to_ctypes() for kind in (BaseOptions, without_reports(BaseOptions)))
    assert usual.ca_bundle_path.endswith(b".pem")
    assert own.ca_bundle_path == os.devnull.encode()
    assert own.model_asset_path == b"x"
