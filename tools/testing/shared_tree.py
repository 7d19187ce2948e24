"""The tree under a path that every user of this machine may walk: itself, or, where it lies in somebody's home, a second mount of it.

Tests of what people without root can do run the tree's programs as such people."""

import atexit
import functools
import os
import subprocess
import tempfile
from pathlib import Path

from processes import ROOT


@functools.cache
def shared_tree():
    if all(directory.stat().st_mode & 0o001 for directory in (ROOT, *ROOT.parents)):
        return ROOT
    place = Path(tempfile.mkdtemp(prefix="lambda-tree-"))
    subprocess.run(["mount", "--bind", ROOT, place], check=True)
    atexit.register(leave, place)
    return place


def leave(place):
    # Lazily: a test that was killed may still stand in it.
    if subprocess.run(["umount", "--lazy", place], check=False).returncode == 0:
        os.rmdir(place)
