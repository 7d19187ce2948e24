"""Runs in the virtual machine, on a disk that outlives its power: finds everything that was acknowledged before the power was cut, then
deploys and submits events until it is cut again.

    under_load.py check        only looks, and ends
    under_load.py load [FILE]  looks, and goes on until the end; FILE is loaded into the server before all libraries

It writes to $OUT: `acknowledged`, a line of JSON for everything that the server has acknowledged, written when it had; `found`, one for
what each look came to."""

import json
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from event_crash_test import SOURCE, Clients, Crashes, answer_of  # noqa: E402
from lambda_server import LambdaServer  # noqa: E402

OUT = Path(os.environ["OUT"])
DATA = Path("/mnt/data")


class Record:
    """Lines that are on the other side of the machine's wall when write() returns."""

    def __init__(self, name):
        self.file = os.open(OUT / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, **entry):
        os.write(self.file, (json.dumps(entry) + "\n").encode())


class Acknowledged(dict):
    """What Clients keeps, kept outside as well."""

    def __init__(self, record):
        super().__init__()
        self.record = record

    def __setitem__(self, identity, number):
        self.record.write(event=identity, number=number)
        super().__setitem__(identity, number)
        time.sleep(0.1)  # an emulated machine: deploys want to come round as well


def acknowledged_before():
    path = OUT / "acknowledged"
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return ([each for each in entries if "version" in each], {each["event"]: each["number"] for each in entries if "event" in each})


def patiently(call):
    """An emulated machine may be too slow for a start's 10 seconds, and is then asked again."""
    for _ in range(10):
        reply = call()
        if b"timed out" not in reply.body and reply.status != 504:
            break
    return reply


def look(server, deploys, events):
    """What is not as it was acknowledged, in words."""
    wrong = []
    versions = {each["version"]: each for each in server.api("GET", "/_lambda/functions/site/versions").json().get("versions", [])}
    for deploy in deploys:
        reply = patiently(lambda deploy=deploy: server.invoke("site", qualifier=str(deploy["version"])))
        if str(deploy["version"]) not in map(str, versions):
            wrong.append(f"version {deploy['version']} is not there: {sorted(versions)}")
        elif reply.status != 200 or reply.json() != [deploy["number"], deploy["number"]]:
            wrong.append(f"version {deploy['version']} was number {deploy['number']}, and is {reply}")
    if deploys:
        live = patiently(lambda: server.get("site"))
        code, setting = live.json() if live.status == 200 else (None, None)
        # What was being deployed when the power went may be there, whole.
        if code is None or code != setting or code < deploys[-1]["number"]:
            wrong.append(f"live answers {live}, and number {deploys[-1]['number']} was acknowledged last")
    deadline = time.monotonic() + 180
    while True:
        queues = server.api("GET", "/_lambda/queue?function=victim").json().get("functions", [])
        depth = next(iter(queues), {"waiting": 0, "running": 0})
        if depth["waiting"] + depth["running"] == 0:
            break
        if time.monotonic() > deadline:
            return [*wrong, f"events that are not carried out: {depth}"]
        time.sleep(0.5)
    server.stop()
    kept = Crashes.events(server)
    server.start()
    lost = [number for identity, number in events.items() if identity not in kept]
    if lost:
        wrong.append(f"{len(lost)} acknowledged events are not there, such as number {lost[0]}")
    slow = 0
    for identity, (state, number, result, *_) in kept.items():
        ends = ((3, f"number {number}") if number % 10 == 0 else (2, answer_of(number)))
        answer = json.loads(result) if result else None
        if isinstance(answer, dict):
            slow += answer["errorType"] == "Sandbox.Timedout"  # on an emulated machine a start may take too long: told, not lost
            ends = ends if answer["errorType"] != "Sandbox.Timedout" else (3, answer["errorMessage"])
            answer = answer["errorMessage"]
        if (state, answer) != ends or events.get(identity, number) != number:
            wrong.append(f"event {number} is in state {state} with {answer}")
    if slow > len(kept) // 2:
        wrong.append(f"{slow} of {len(kept)} events timed out: this machine is too slow to tell anything")
    return wrong


def deploy_for_ever(server, number, record):
    while True:
        number += 1
        folder = server.folder({"app.py": f"import os\ndef handler(e, c): return [{number}, int(os.environ['NUMBER'])]\n", "data.bin": os.urandom(100_000)})
        done = server.cli("deploy", folder, "--name", "site", "--handler", "app.handler", "-e", f"NUMBER={number}", check=False)
        if done.returncode != 0:
            print(done.stderr)  # too slow on this machine, perhaps; it is not acknowledged
            continue
        live = [each["version"] for each in server.api("GET", "/_lambda/functions/site/versions").json()["versions"] if each["live"]]
        record.write(version=live[0], number=number)


def main(what, preload=None):
    deploys, events = acknowledged_before()
    server = LambdaServer("native", ["--retry-delay", "1", "--keep-results", "86400", "--log-level", "info"], data=DATA,
                          environment={"LD_PRELOAD": preload} if preload else None).start()
    Record("found").write(deploys=len(deploys), events=len(events), wrong=look(server, deploys, events) if deploys or events else [])
    if what == "check":
        server.close()
        return
    if not events:
        server.deploy({"app.py": SOURCE}, "victim", "--handler", "app.handler")
        server.api("PUT", "/2019-09-25/functions/victim/event-invoke-config?Qualifier=live", {"MaximumRetryAttempts": 0})
    record = Record("acknowledged")
    clients = Clients(server, max(events.values(), default=0) + 1000)
    clients.acknowledged = Acknowledged(record)
    # Numbers that only grow: one that was tried and not acknowledged is not tried again.
    threading.Thread(target=deploy_for_ever, args=(server, max((each["number"] for each in deploys), default=0) + 100, record)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
