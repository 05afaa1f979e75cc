"""Freed memory is kept, so that the system does not fill a network's tensors with zeros again and again."""

import os
import platform
import subprocess
import sys

import pytest

WORK = """
import resource, sys, torch
from difffake.commands.main import main
from difffake.memory import keep_freed_memory
if "function" in sys.argv:
    print(keep_freed_memory())
if "command" in sys.argv:
    assert main(["calibrate", "--ckpt", "missing.ckpt", "--manifest", "missing"]) == 1
faults = [resource.getrusage(resource.RUSAGE_SELF).ru_minflt]
for number in range(30):
    torch.full((16, 1024, 1024), number, dtype=torch.float32)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[-11])
"""
SET = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or tuple(map(int, platform.libc_ver()[1].split("."))) < (2, 35),
    reason="only glibc has the setting, and before 2.35 not for tensors of this size",
)


def printed(*switch: str, **chosen: str) -> list[str]:
    """Lines that a process prints; the last is the number of pages that it was given for ten tensors of 64 MiB."""
    environment = {name: value for name, value in os.environ.items() if name not in SET} | chosen
    command = [sys.executable, "-c", WORK, *switch]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout.splitlines()


def test_pages_are_used_again() -> None:
    usual = int(printed()[-1])
    done, kept = printed("function")
    assert done == "True"
    assert int(kept) < usual / 9
    assert int(printed("command")[-1]) < usual / 9, "every command switches it on"


def test_the_choice_of_the_environment_is_left_alone() -> None:
    done, faults = printed("function", MALLOC_MMAP_THRESHOLD_="131072")
    assert done == "False"
    assert int(faults) > 0
