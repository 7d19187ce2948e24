"""Installs what a function's requirements.txt names. The server runs it in the runtime's place when a deploy asks for it, in the same
sandbox: the code is at /var/task, and the one address that answers, that of the Runtime API, is a proxy to the registries. What pip says goes to
standard output; what it installed, or why it could not, goes to the server in the end.
"""
import http.client
import os
import re
import shutil
import subprocess
import sys
import tarfile

TASK = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
API = os.environ["AWS_LAMBDA_RUNTIME_API"]
PIP = os.path.join(os.path.dirname(os.path.abspath(__file__)), ".install", "pip")
# Local packages are built where their sources lie: in a copy that can be written to.
SOURCE = "/tmp/source"
TARGET = "/tmp/installed"
OPTIONS = ["--target", TARGET, "--no-cache-dir", "--no-compile", "--disable-pip-version-check", "--no-input", "--no-color", "--progress-bar", "off",
           "--no-warn-script-location", "--no-warn-conflicts", "--root-user-action", "ignore"]
NO_COMPILER = ("error: command 'gcc'", "error: command 'x86_64-linux-gnu-gcc'", "error: command 'cc'", "error: command 'g++'", "error: command 'clang'",
               "unknown compiler", "no acceptable c compiler", "can't find rust compiler", "cargo, the rust package manager, is not installed",
               "pg_config executable not found")


def copy_source():
    shutil.copytree(TASK, SOURCE, symlinks=True)
    for directory, names, members in os.walk(SOURCE):
        for name in members + ["."]:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o200)


def run_pip():
    """pip's exit status and the lines that say what went wrong; everything it says is said on."""
    command = [sys.executable, "-s", PIP, "install", *OPTIONS, "-r", "requirements.txt"]
    errors, no_compiler, step = [], False, None
    with subprocess.Popen(command, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as pip:
        for line in pip.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            text = line.strip()
            if text.startswith("ERROR: "):
                errors = errors[-7:] + [text.removeprefix("ERROR: ")]
            # What a package's own build came to: "x Building wheel ... did not run successfully.", "| exit code: 7".
            if failed := re.fullmatch(r"[×x] (.* did not run successfully)\.", text):
                step = failed[1]
            elif step and (ended := re.fullmatch(r"[│|] exit code: (-?\d+)", text)):
                errors, step = errors[-7:] + [f"{step} (exit code {ended[1]})"], None
            no_compiler = no_compiler or any(words in text.lower() for words in NO_COMPILER)
    return pip.returncode, errors, no_compiler


def reason(status, errors, no_compiler):
    if status < 0:
        return f"pip was ended by signal {-status}"
    text = "; ".join(errors) or f"pip ended with exit status {status}"
    if no_compiler:
        text += (". There is no compiler in the sandbox: name a version that has a wheel for Python 3.11 on Linux, or deploy with a Dockerfile "
                 "that has one")
    return text


class Body:
    """What tarfile writes, as the chunks of a request."""

    def __init__(self, connection):
        self.connection, self.held = connection, bytearray()

    def write(self, data):
        self.held += data
        if len(self.held) >= 256 * 1024:
            self.flush()

    def flush(self):
        if self.held:
            self.connection.send(b"%x\r\n%b\r\n" % (len(self.held), self.held))
            self.held.clear()

    def close(self):
        self.flush()
        self.connection.send(b"0\r\n\r\n")


def add(archive, path, name):
    """One entry, the same whenever and by whomever it was installed."""
    entry = tarfile.TarInfo(name)
    if os.path.islink(path):
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
        archive.addfile(entry)
    elif os.path.isdir(path):
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    elif os.path.isfile(path):
        status = os.stat(path)
        entry.size, entry.mode = status.st_size, 0o755 if status.st_mode & 0o111 else 0o644
        with open(path, "rb") as file:
            archive.addfile(entry, file)


def hand_over():
    connection = http.client.HTTPConnection(API, timeout=60)
    connection.putrequest("PUT", "/result")
    connection.putheader("Content-Type", "application/x-tar")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    body = Body(connection)
    try:
        with tarfile.open(fileobj=body, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for directory, names, members in os.walk(TARGET):
                names[:] = sorted(name for name in names if name != "__pycache__")
                for name in sorted([name for name in names if os.path.islink(os.path.join(directory, name))] + members):
                    path = os.path.join(directory, name)
                    add(archive, path, os.path.relpath(path, TARGET))
                if not names and not members and directory != TARGET:
                    add(archive, directory, os.path.relpath(directory, TARGET))
        body.close()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the answer says why
    answer = connection.getresponse()
    return answer.status == 200


def tell_failure(text):
    connection = http.client.HTTPConnection(API, timeout=60)
    connection.request("PUT", "/failure", body=text.encode(errors="replace"))
    connection.getresponse().read()


def main():
    os.umask(0o022)
    for directory in (os.environ["HOME"], TARGET):
        os.makedirs(directory, exist_ok=True)
    try:
        copy_source()
        status, errors, no_compiler = run_pip()
    except OSError as error:
        tell_failure(f"{error.strerror}: {error.filename}")
        return 1
    if status != 0:
        tell_failure(reason(status, errors, no_compiler))
        return 1
    return 0 if hand_over() else 1


sys.exit(main())
