"""The functions that bench/coldstart calls: each says when its module was loaded and how often it was called; no two have the same bytes."""

import base64
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = 200

# What makes a module of ordinary size: some functions, a class, a table.
PYTHON_MODULE = "\n".join(
    ["import json", "TABLE = {%s}" % ", ".join(f"'{n}': {n}" for n in range(40)), "class Record:", "    def __init__(self, **fields):", "        self.fields = fields"] +
    [f"    def method{n}(self, value):\n        return [self.fields.get(str(value + {n})), TABLE, {n}]" for n in range(8)] +
    [f"def function{n}(value, other=None):\n    if other is None:\n        other = {n}\n    return json.dumps([value, other, TABLE.get(str(value))])" for n in range(8)]) + "\n"
NODE_MODULE = "\n".join(
    ["'use strict';", "const table = {%s};" % ", ".join(f"k{n}: {n}" for n in range(40)), "class Record {", "  constructor(fields) { this.fields = fields; }"] +
    [f"  method{n}(value) {{ return [this.fields[value + {n}], table, {n}]; }}" for n in range(8)] + ["}"] +
    [f"function function{n}(value, other = {n}) {{ return JSON.stringify([value, other, table['k' + value]]); }}" for n in range(8)] +
    ["module.exports = { Record, " + ", ".join(f"function{n}" for n in range(8)) + " };"]) + "\n"

PYTHON = """import time
%s
LOADED = time.time_ns()
CALLS = 0  # {identity}

def handler(event, context):
    global CALLS
    CALLS += 1
    return {{"loaded": str(LOADED), "calls": CALLS}}
"""
NODE = """'use strict';
%s
const loaded = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
let calls = 0; // {identity}
exports.handler = async () => ({{ loaded: String(loaded), calls: ++calls }});
"""
NATIVE = """#include "lambda_runtime.h"
#include <ctime>
int main() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto loaded = std::to_string(now.tv_sec * 1000000000LL + now.tv_nsec);
  int calls = 0;
  return lambda_runtime::run([&](const std::string&) { return "{\\"loaded\\":\\"" + loaded + "\\",\\"calls\\":" + std::to_string(++calls) + "}"; });
}
"""


def python_files(identity, modules=0):
    names = [f"part{n:03}" for n in range(modules)]
    imports = "".join(f"import parts.{name}\n" for name in names)
    files = {f"parts/{name}.py": PYTHON_MODULE for name in names}
    return {**files, "app.py": (PYTHON % imports).format(identity=identity)}


def node_files(identity, modules=0):
    names = [f"part{n:03}" for n in range(modules)]
    imports = "".join(f"require('./parts/{name}.js');\n" for name in names)
    files = {f"parts/{name}.js": NODE_MODULE for name in names}
    return {**files, "app.js": (NODE % imports).format(identity=identity)}


class Native:
    """A static program; the bytes behind its end make it another one."""

    def __init__(self, folder):
        source = folder / "native.cc"
        source.write_text(NATIVE)
        program = folder / "native"
        subprocess.run(["g++", "-std=c++20", "-O2", "-static", "-s", f"-I{ROOT}/examples/cpp", "-o", program, source], check=True)
        self.bytes = program.read_bytes()

    def files(self, identity, _modules=0):
        return {"bootstrap": self.bytes + identity.encode()}

    def import_image(self, identity, tag):
        """An image with nothing but the program, as `FROM scratch` makes one."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("bootstrap")
            content = self.bytes + identity.encode()
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        subprocess.run(["docker", "import", "--change", 'ENTRYPOINT ["/bootstrap"]', "-", tag], input=archive.getvalue(), check=True, stdout=subprocess.DEVNULL)


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def deploy(server, name, settings, body=b"", kind="application/zip"):
    header = base64.b64encode(json.dumps({"url": "open", **settings}).encode()).decode()
    reply = server.api("POST", f"/_lambda/functions/{name}/deploy", body, headers={"X-Lambda-Settings": header, "Content-Type": kind})
    last = json.loads(reply.text.strip().splitlines()[-1])
    assert reply.status == 200 and last["event"] == "result", reply.text


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o755)
    return folder
