"""A function that writes a gigabyte: it is not slowed to a halt, nobody else is, the server stays small, and the log says what it left out."""

import re
import statistics
import threading
import time
import unittest

from lambda_server import ServerTest, on_both_drivers

MEGABYTES = 1024
FLOOD = r'''
import os, time
PIECE = ("x" * 99 + "\n").encode() * 655
def write(to, size):
    begin, left = time.monotonic(), size
    while left > 0:
        left -= os.write(to, PIECE)
    return time.monotonic() - begin
def handler(event, context):
    nowhere = os.open("/dev/null", os.O_WRONLY)
    before = write(nowhere, 1 << 26)
    print("first", flush=True)
    took = write(1, event["megabytes"] << 20)
    print("last", flush=True)
    return {"took": took, "before": before, "written": event["megabytes"]}
'''
# A child floods while the handler goes on answering.
BESIDE = r'''
import subprocess, sys
FLOOD = """
import os, sys
PIECE = ("x" * 99 + "\\n").encode() * 655
left = int(sys.argv[1]) << 20
while left > 0:
    left -= os.write(1, PIECE)
"""
child = None
def handler(event, context):
    global child
    if "megabytes" in event:
        child = subprocess.Popen([sys.executable, "-c", FLOOD, str(event["megabytes"])])
    print("own", event["number"], flush=True)
    return child is not None and child.poll() is None
'''
QUIET = "def handler(event, context):\n    print('quiet', event['number'], flush=True)\n    return 1\n"


def peak_megabytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) >> 10


@on_both_drivers
class Flood(ServerTest):
    def calls(self, count, first):
        times = []
        for number in range(first, first + count):
            begin = time.monotonic()
            self.assertEqual(self.server.invoke("quiet", {"number": number}).status, 200)
            times.append(time.monotonic() - begin)
        return times

    def test_a_gigabyte(self):
        self.server.deploy({"app.py": FLOOD}, "flood", "--handler", "app.handler", "--timeout", "600", "--memory", "1769")
        self.server.deploy({"app.py": QUIET}, "quiet", "--handler", "app.handler")
        self.calls(20, 0)
        before = self.calls(100, 20)
        peak = peak_megabytes(self.server.process.pid)
        answers = []
        flood = threading.Thread(target=lambda: answers.append(self.server.invoke("flood", {"megabytes": MEGABYTES}, timeout=600)))
        flood.start()
        during, number = [], 120
        while flood.is_alive():
            during += self.calls(5, number)
            number += 5
        flood.join()
        grown = peak_megabytes(self.server.process.pid) - peak
        answer = answers[0].json()
        rate = MEGABYTES / answer["took"]
        print(f"\n{self.driver}: {rate:.0f} MB/s into the log ({64 / answer['before']:.0f} MB/s into nothing); a neighbour's call "
              f"{statistics.median(before) * 1000:.1f} ms before and {statistics.median(during) * 1000:.1f} ms during (of {len(during)}); "
              f"lambdad grew by {grown} MB at the most")
        self.assertGreater(rate, 10)
        self.assertLess(statistics.median(during), max(0.1, 10 * statistics.median(before)))
        self.assertLess(grown, 256)
        self.assertLess(sum(file.stat().st_size for file in (self.server.data / "logs/flood").iterdir()), 70 << 20)
        lines = [line["text"] for line in self.server.api("GET", "/_lambda/functions/flood/logs?limit=10000").json()["lines"]]
        self.assertTrue(lines[-1].startswith("REPORT RequestId: "), lines[-1])
        said = self.server.cli("logs", "flood", "--search", r"^\[lambda\]", "-n", "1000").stdout
        self.assertRegex(said, r"\[lambda\] \d+ lines before this one \(\d+ bytes\) were not kept: the function writes more than 8192 KB a second")
        # What the tail says is what was written last, kept or not.
        self.assertIn("\nlast\n", answers[0].log)
        kept = self.server.cli("logs", "quiet", "--search", "^quiet", "-n", "10000").stdout
        self.assertEqual([int(line.split()[-1]) for line in kept.splitlines()], list(range(number)))

    def test_the_function_itself_goes_on_while_it_floods(self):
        self.server.deploy({"app.py": BESIDE}, "beside", "--handler", "app.handler", "--timeout", "600", "--memory", "1769")

        def call(number, **more):
            begin = time.monotonic()
            reply = self.server.invoke("beside", {"number": number, **more})
            self.assertEqual(reply.status, 200)
            return time.monotonic() - begin, reply.json()
        for number in range(20):
            call(number)
        before = [call(number)[0] for number in range(20, 120)]
        begin, during, number = time.monotonic(), [], 121
        call(120, megabytes=MEGABYTES)
        floods = True
        while floods:
            took, floods = call(number)
            during.append(took)
            number += 1
        rate = MEGABYTES / (time.monotonic() - begin)
        print(f"\n{self.driver}: the function answered {1 / statistics.mean(before):.0f} calls a second before and {1 / statistics.mean(during):.0f} while a child "
              f"of it wrote {rate:.0f} MB/s (medians {statistics.median(before) * 1000:.1f} and {statistics.median(during) * 1000:.1f} ms, of {len(during)})")
        self.assertGreater(len(during), 10)
        self.assertLess(statistics.median(during), max(0.1, 10 * statistics.median(before)))


if __name__ == "__main__":
    unittest.main()
