"""Compiles a function's Python files to bytecode. The server runs it in the runtime's place at deploy, in the same sandbox;
it answers one event with the compiled files, and never imports the code.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import base64  # noqa: E402
import importlib._bootstrap_external as external  # noqa: E402
import json  # noqa: E402

from bootstrap import Api  # noqa: E402

ROOT = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")


def compile_tree():
    files, errors = [], []
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
            except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
                errors.append({"path": relative, "line": getattr(error, "lineno", None) or 0, "message": str(error)})
                continue
            # Unchecked: the code cannot change under its bytecode.
            data = external._code_to_hash_pyc(code, external._imp.source_hash(external._RAW_MAGIC_NUMBER, source), False)
            cached = os.path.join(os.path.dirname(relative), "__pycache__", member[:-3] + ".cpython-311.pyc")
            files.append({"path": cached, "data": base64.b64encode(data).decode()})
    return {"files": files, "errors": errors}


def main():
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    _, fields, _ = api.call("GET", "invocation/next")
    answer = json.dumps(compile_tree()).encode()
    api.call("POST", f"invocation/{fields['lambda-runtime-aws-request-id']}/response", answer, [("Content-Type", "application/json")])
    # The server ends the sandbox.
    api.call("GET", "invocation/next")


main()
