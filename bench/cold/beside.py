"""What bench/coldstart measures beside lambdad: the same code, started by other means, from the command to the end of its answer."""

import ctypes
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

RUNTIMES = Path(os.environ.get("LAMBDA_RUNTIMES_DIR", "/var/lib/lambda-runtimes"))
PYTHON_RUN = "import sys, json; sys.path.insert(0, '/var/task'); import app; print(json.dumps(app.handler({}, None)), flush=True)"
NODE_RUN = "require('/var/task/app.js').handler({}).then((result) => console.log(JSON.stringify(result)))"


class Case:
    """One kind of function: its base file system, its image, the command inside."""

    def __init__(self, runtime, image, command, code):
        self.root, self.image, self.command, self.code = RUNTIMES / runtime / "rootfs", image, command, code


def python_case(code):
    return Case("python3.11", "lambda/python:3.11", ["/usr/bin/python3", "-c", PYTHON_RUN], code)


def node_case(code):
    return Case("nodejs22.x", "lambda/node:22", ["/var/lang/bin/node", "-e", NODE_RUN], code)


def native_case(code):
    """Without a Runtime API there is nothing to answer: a program that prints a line."""
    return Case("provided", "lambda/provided:latest", ["/var/task/hello"], code)


def timed(command, **more):
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, **more)
    took = (time.perf_counter() - began) * 1000
    assert done.returncode == 0 and b'"loaded"' in done.stdout, (command, done)
    return took


def docker_command(case):
    return ["docker", "run", "--rm", "--network", "none", "-v", f"{case.code}:/var/task:ro", "--entrypoint", case.command[0], case.image, *case.command[1:]]


def docker_run(case):
    return timed(docker_command(case))


def executed(case):
    """No isolation at all."""
    program = case.root / case.command[0].lstrip("/") if "node" in case.command[0] else case.command[0].replace("/var/task", str(case.code))
    return timed([program, *(word.replace("/var/task", str(case.code)) for word in case.command[1:])])


def bubblewrap(case):
    return timed(["bwrap", "--unshare-all", "--ro-bind", case.root, "/", "--ro-bind", case.code, "/var/task", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
                  "--die-with-parent", *case.command])


def hide_unified_cgroups():
    """crun refuses the hybrid layout of cgroups: it does not get to see it."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private, detach = 0x20000, 0x44000, 2  # CLONE_NEWNS, MS_REC | MS_PRIVATE, MNT_DETACH
    libc.unshare(new_namespace)
    libc.mount(None, b"/", None, private, None)
    libc.umount2(b"/sys/fs/cgroup/unified", detach)


class Crun:
    """Bundles for crun, without cgroups."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0

    def run(self, case):
        bundle = self.folder / f"{case.root.parent.name}-{case.code.name}"
        if not bundle.exists():
            bundle.mkdir(parents=True)
            subprocess.run(["crun", "spec"], cwd=bundle, check=True)
            spec = json.loads((bundle / "config.json").read_text())
            spec["process"].update(terminal=False, args=list(case.command))
            spec["root"] = {"path": str(case.root), "readonly": True}
            spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] not in ("cgroup", "mqueue")]
            spec["mounts"].append({"destination": "/var/task", "type": "bind", "source": str(case.code), "options": ["bind", "ro"]})
            spec["linux"].pop("resources", None)
            (bundle / "config.json").write_text(json.dumps(spec))
        self.count += 1
        hybrid = Path("/sys/fs/cgroup/unified").exists()
        return timed(["crun", "--cgroup-manager=disabled", "run", "--bundle", bundle, f"bench-{os.getpid()}-{self.count}"],
                     preexec_fn=hide_unified_cgroups if hybrid else None)


def install():
    programs = {"bubblewrap": "bwrap", "crun": "crun", "wrk": "wrk"}
    missing = [package for package, program in programs.items() if not shutil.which(program)]
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *missing], check=True, stdout=subprocess.DEVNULL, env=environment)


def unpause_time(image):
    """`docker unpause` over the command line is mostly the command line; the Engine's own part is asked of its socket."""
    name = f"bench-pause-{os.getpid()}"
    subprocess.run(["docker", "run", "-d", "--rm", "--name", name, "--network", "none", "--entrypoint", "sleep", image, "600"], check=True, stdout=subprocess.DEVNULL)
    times = []
    try:
        for _ in range(10):
            subprocess.run(["docker", "pause", name], check=True, stdout=subprocess.DEVNULL)
            began = time.perf_counter()
            subprocess.run(["docker", "unpause", name], check=True, stdout=subprocess.DEVNULL)
            times.append((time.perf_counter() - began) * 1000)
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, stdout=subprocess.DEVNULL)
    return times
