"""Prometheus' text as tests want it: values by name and labels."""

import re
import subprocess

LINE = re.compile(r'^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$')
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Scraped:
    def __init__(self, text):
        self.text = text
        self.values = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            found = LINE.match(line)
            assert found, f"no line of a metric: {line!r}"
            key = (found["name"], frozenset(LABEL.findall(found["labels"] or "")))
            assert key not in self.values, f"twice: {line}"
            self.values[key] = float(found["value"])

    def of(self, name, **labels):
        """The one with exactly these labels; 0 where there is none."""
        return self.values.get((name, frozenset(labels.items())), 0)

    def total(self, name, **labels):
        """The sum of those that have these labels, and others beside."""
        return sum(value for (its_name, its_labels), value in self.values.items() if its_name == name and its_labels >= frozenset(labels.items()))

    def counters(self):
        """Everything that may only grow."""
        counted = set(re.findall(r"^# TYPE (\S+) counter$", self.text, re.M))
        counted |= {f"{name}{suffix}" for name in re.findall(r"^# TYPE (\S+) histogram$", self.text, re.M) for suffix in ("_bucket", "_count", "_sum")}
        return {key: value for key, value in self.values.items() if key[0] in counted}


def scrape(server):
    reply = server.api("GET", "/metrics")
    assert reply.status == 200, reply
    return Scraped(reply.text)


def promtool(text):
    """What promtool has against it; "" is nothing."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
    return f"exit status {done.returncode}: {done.stdout}{done.stderr}" if done.returncode or done.stdout or done.stderr else ""
