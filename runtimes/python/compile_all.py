"""Compiles a function's Python files to bytecode. The server runs it in the runtime's place at deploy, in the same sandbox;
it answers each event with some of the compiled files until there are no more, and never imports the code.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import base64  # noqa: E402
import importlib._bootstrap_external as external  # noqa: E402
import json  # noqa: E402

from bootstrap import Api  # noqa: E402

ROOT = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")


# Base64 in one answer, of which a response may have 6 MiB.
BATCH = 4 << 20
LARGEST = 5 << 20


def compiled():
    """(path of the bytecode, its base64) of every file that compiles. The others fail when they are imported."""
    for directory, names, members in os.walk(ROOT):
        names[:] = [name for name in names if name != "__pycache__"]
        for member in sorted(members):
            path = os.path.join(directory, member)
            if not member.endswith(".py") or os.path.islink(path):
                continue
            relative = os.path.relpath(path, ROOT)
            try:
                with open(path, "rb") as file:
                    source = file.read()
                code = compile(source, path, "exec", dont_inherit=True)
            except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
                continue
            # Unchecked: the code cannot change under its bytecode.
            data = external._code_to_hash_pyc(code, external._imp.source_hash(external._RAW_MAGIC_NUMBER, source), False)
            cached = os.path.join(os.path.dirname(relative), "__pycache__", member[:-3] + ".cpython-311.pyc")
            yield cached, base64.b64encode(data).decode()


def answers():
    """What to answer with, one event after the other. `left_out` had no room in any."""
    files, left_out, size = [], [], 0
    for path, data in compiled():
        if len(data) > LARGEST:
            left_out.append(path)
            continue
        if files and size + len(data) > BATCH:
            yield {"files": files, "left_out": left_out, "more": True}
            files, left_out, size = [], [], 0
        files.append({"path": path, "data": data})
        size += len(data) + len(path)
    yield {"files": files, "left_out": left_out, "more": False}


def main():
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    for answer in answers():
        _, fields, _ = api.call("GET", "invocation/next")
        api.call("POST", f"invocation/{fields['lambda-runtime-aws-request-id']}/response", json.dumps(answer).encode(),
                 [("Content-Type", "application/json")])
    # The server ends the sandbox.
    api.call("GET", "invocation/next")


main()
