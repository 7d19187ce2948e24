"""A registry of packages for tests, at an address that builds may reach: PyPI's simple index and npm's registry, of packages made in the test.

    with PackageRegistry() as registry:
        registry.add_wheel("greeting", {"greeting/__init__.py": "WORD = 'hello'"})
        registry.index_line  # for requirements.txt
"""

import base64
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Not the address at which lambdad listens: build_networks opens this one alone.
ADDRESS = "127.0.0.2"


def tar_gz(files, prefix):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            data = content.encode()
            entry = tarfile.TarInfo(f"{prefix}/{name}")
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def backend_of(name, code, version="1.0"):
    """The hooks by which a source package builds itself; `code` defines report(): what becomes REPORT of NAME.py."""
    return f"""
import zipfile
{code}
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name, info = "{name}-{version}-py3-none-any.whl", "{name}-{version}.dist-info"
    files = {{"{name}.py": "REPORT = " + repr(report()), info + "/METADATA": "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
             info + "/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}}
    with zipfile.ZipFile(directory + "/" + name, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(info + "/RECORD", "".join(path + ",,\\n" for path in files) + info + "/RECORD,,\\n")
    return name
"""


class PackageRegistry:
    def __init__(self):
        self.files, self.asked, self.python, self.node = {}, [], {}, {}

    def __enter__(self):
        registry = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.asked.append(self.path)
                content = registry.content(self.path)
                self.send_response(200 if content is not None else 404)
                content = content or b"{}"
                kind = "application/json" if content[:1] == b"{" else "text/html" if content[:1] == b"<" else "application/octet-stream"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((ADDRESS, 0), Answers)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://{ADDRESS}:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def index_line(self):
        return f"--index-url {self.url}/simple/\n"

    @property
    def npmrc(self):
        return f"registry={self.url}/\n"

    def fetched(self, name):
        """How often something of this package was asked for."""
        return sum(name in path for path in self.asked)

    def content(self, path):
        path = path.split("?")[0]
        if path in self.files:
            return self.files[path]
        name = path.removeprefix("/simple/").strip("/")
        if path.startswith("/simple/") and name in self.python:
            return f"<!DOCTYPE html><a href='/files/{self.python[name]}'>{self.python[name]}</a>".encode()
        if path[1:] in self.node:
            return json.dumps(self.node[path[1:]]).encode()
        return None

    def add_wheel(self, name, files, version="1.0"):
        buffer = io.BytesIO()
        info = f"{name}-{version}.dist-info"
        everything = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                      f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
        record = "".join(f"{path},,\n" for path in [*everything, f"{info}/RECORD"])
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, content in {**everything, f"{info}/RECORD": record}.items():
                archive.writestr(path, content)
        self._add_python(name, f"{name}-{version}-py3-none-any.whl", buffer.getvalue())

    def add_source(self, name, backend, version="1.0"):
        """A source package that builds itself: `backend` is Python that runs in the sandbox (see backend_of)."""
        project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        files = {"PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "pyproject.toml": project, "backend.py": backend_of(name, backend, version)}
        self._add_python(name, f"{name}-{version}.tar.gz", tar_gz(files, f"{name}-{version}"))

    def _add_python(self, name, file, content):
        self.python[name] = file
        self.files[f"/files/{file}"] = content

    def add_node(self, name, files, version="1.0.0", **more):
        """A package of npm's; `more` goes into its package.json."""
        description = {"name": name, "version": version, **more}
        content = tar_gz({"package.json": json.dumps(description), **files}, "package")
        path = f"/{name}/-/{name}-{version}.tgz"
        self.files[path] = content
        dist = {"tarball": self.url + path, "shasum": hashlib.sha1(content).hexdigest(),
                "integrity": "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()}
        scripts = any(script in more.get("scripts", {}) for script in ("preinstall", "install", "postinstall"))
        self.node[name] = {"name": name, "dist-tags": {"latest": version},
                           "versions": {version: {**description, "hasInstallScript": scripts, "dist": dist}}}

    def package_lock(self, *names):
        """package.json and package-lock.json of a project that depends on these."""
        versions = {name: self.node[name]["versions"][self.node[name]["dist-tags"]["latest"]] for name in names}
        project = {"name": "project", "version": "1.0.0", "dependencies": {name: one["version"] for name, one in versions.items()}}
        packages = {"": project}
        for name, one in versions.items():
            packages[f"node_modules/{name}"] = {"version": one["version"], "resolved": one["dist"]["tarball"], "integrity": one["dist"]["integrity"],
                                                **({"hasInstallScript": True} if one["hasInstallScript"] else {}),
                                                **({"bin": one["bin"]} if "bin" in one else {})}
        lock = {"name": "project", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
        return {"package.json": json.dumps(project), "package-lock.json": json.dumps(lock), ".npmrc": self.npmrc}
