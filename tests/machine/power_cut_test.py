"""The power of a machine goes in the middle of deploys and of writes to the queue; after the next boot everything acknowledged is there.

The machine is a virtual one whose process is killed: what its kernel had not written to the disk is gone, as when a plug is pulled. What
the server acknowledges is written down outside of the machine at once. Each boot finds all of what every boot before acknowledged."""

import json
import random
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from virtual_machine import Machine  # noqa: E402

HERE = Path(__file__).resolve().parent
CUTS = 2
MINUTES = 10  # a boot, at most
DEPLOYS, EVENTS = 2, 50  # acknowledged in each boot before the power may go


class PowerCuts(unittest.TestCase):
    def setUp(self):
        self.machine = Machine()
        self.addCleanup(self.machine.close)

    def acknowledged(self):
        path = self.machine.out / "acknowledged"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return sum('"version"' in line for line in lines), sum('"event"' in line for line in lines)

    def run_and_cut(self, before="", flags=""):
        """`before`: lines of shell that come first."""
        deploys, events = self.acknowledged()
        cut_at = []

        def enough():
            now = self.acknowledged()
            if not cut_at and now[0] >= deploys + DEPLOYS and now[1] >= events + EVENTS:
                cut_at.append(time.monotonic() + random.random() * 2)
            return cut_at and time.monotonic() >= cut_at[0]

        said = self.machine.boot(f"{before}\n/usr/bin/python3 {HERE}/under_load.py load {flags}", MINUTES, enough)
        self.assertIsNone(said, f"it ended by itself:\n{said}")

    def look(self):
        said = self.machine.boot(f"/usr/bin/python3 {HERE}/under_load.py check", MINUTES)
        return said, [json.loads(line) for line in (self.machine.out / "found").read_text().splitlines()]

    def test_everything_acknowledged_is_there_after_the_next_boot(self):
        random.seed()
        for _ in range(CUTS):
            self.run_and_cut()
        said, found = self.look()
        self.assertEqual(len(found), CUTS + 1, said)
        self.assertEqual([wrong for each in found for wrong in each["wrong"]], [])
        self.assertEqual((found[-1]["deploys"], found[-1]["events"]), self.acknowledged())
        self.assertGreaterEqual(found[-1]["deploys"], CUTS * DEPLOYS)
        self.assertGreaterEqual(found[-1]["events"], CUTS * EVENTS)
        print(f"{CUTS} power cuts: {found[-1]['deploys']} deploys and {found[-1]['events']} events were acknowledged, and are there")

    def test_it_would_be_seen_if_nothing_were_written_in_time(self):
        """The same with a server whose fsync() does nothing, on a disk whose kernel is in no hurry: what is acknowledged is lost."""
        self.run_and_cut(before="mount -o remount,commit=600 /mnt; sysctl -q vm.dirty_writeback_centisecs=0", flags="libeatmydata.so")
        said, found = self.look()
        self.assertNotEqual(found[-1]["wrong"], [], said)


if __name__ == "__main__":
    unittest.main()
