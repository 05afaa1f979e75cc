"""Freed memory is kept, so that the system does not fill a network's tensors with zeros again and again."""

import platform
import subprocess
import sys

import pytest

WORK = """
import resource, sys, torch
from difffake.commands.main import main
from difffake.memory import keep_freed_memory
if "function" in sys.argv:
    assert keep_freed_memory()
if "command" in sys.argv:
    assert main(["calibrate", "--ckpt", "missing.ckpt", "--manifest", "missing"]) == 1
faults = [resource.getrusage(resource.RUSAGE_SELF).ru_minflt]
for number in range(30):
    torch.full((16, 1024, 1024), number, dtype=torch.float32)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[-11])
"""


def faults(*switch: str) -> int:
    """Pages that the system gave to a process while it filled the last ten of thirty tensors of 64 MiB."""
    done = subprocess.run([sys.executable, "-c", WORK, *switch], capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
def test_pages_are_used_again() -> None:
    pages = 64 * 2**20 // 4096
    assert faults() > 9 * pages
    assert faults("function") < pages
    assert faults("command") < pages, "every command switches it on"
