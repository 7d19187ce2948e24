"""Functions made of images: built from a Dockerfile, or named; what they see, what happens to their names, what is left of them."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lambda_server import LambdaServer, ServerTest, on_both_drivers

# Answers every request with what a program sees of its sandbox.
LOOK = r'''
import http.server, json, os
def can_write(path):
    try:
        open(path + "/probe", "w").close()
        return True
    except OSError:
        return False
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {"uid": os.getuid(), "cwd": os.getcwd(), "word": os.environ.get("WORD"), "port": os.environ["PORT"],
                "data": os.listdir("/data") if os.path.isdir("/data") else None,
                "own": open("/own/file").read() if os.path.exists("/own/file") else None,
                "writable": [path for path in ("/", "/data", "/srv", "/tmp", "/etc", "/own") if can_write(path)]}
        body = json.dumps(seen).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''

# A whole HTTP server without a file beside it.
STATIC_SERVER = r'''
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) {
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT"))), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 16) != 0) return 1;
  for (;;) {
    char buffer[4096];
    int connection = accept(listener, 0, 0);
    if (read(connection, buffer, sizeof buffer) > 0) write(connection, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nscratch", 64);
    close(connection);
  }
}
'''

HANDLER = '''
def handler(event, context):
    return {"number": NUMBER, "event": event}
'''


def docker(*arguments, check=True):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=check, env={**os.environ, "DOCKER_BUILDKIT": "0"}).stdout


def build_image(name, files):
    with tempfile.TemporaryDirectory() as directory:
        for file, content in files.items():
            (Path(directory) / file).write_text(content)
        docker("build", "-q", "-t", name, directory)


def handler_image(name, number, label="test.prune=never"):
    build_image(name, {"Dockerfile": f'FROM lambda/python:3.11\nLABEL {label}\nCOPY app.py /var/task/\nCMD ["app.handler"]\n',
                       "app.py": HANDLER.replace("NUMBER", str(number))})


@on_both_drivers
class Images(ServerTest):
    def names_of(self, function):
        mark = (self.server.data / "docker/id").read_text().split()[0]
        return docker("images", "--filter", f"reference=func-{function}:*-{mark[:6]}", "--format", "{{.Repository}}:{{.Tag}}").split()

    def test_a_sandbox_is_the_same_whatever_the_image_asks_for(self):
        self.server.deploy({"look.py": LOOK, "Dockerfile": '''
FROM lambda/python:3.11
COPY look.py /srv/look.py
COPY look.py /data/file
COPY --chown=993:990 look.py /own/file
RUN ["python3", "-c", "import os; os.chmod('/data', 0o777); os.chmod('/own/file', 0o600); open('/own/file', 'w').write('mine')"]
ENV WORD=from-the-image
WORKDIR /srv
VOLUME /data
USER root
EXPOSE 80
HEALTHCHECK CMD ["false"]
CMD ["python3", "look.py"]
'''}, "look")
        seen = self.server.get("look").json()
        self.assertEqual(seen, {"uid": 993, "cwd": "/srv", "word": "from-the-image", "port": "80", "data": ["file"], "own": "mine",
                                "writable": ["/tmp"]})

    def test_a_user_by_name_and_a_port_below_1024(self):
        self.server.deploy({"look.py": LOOK, "Dockerfile": 'FROM lambda/python:3.11\nCOPY look.py /srv/\nUSER sbx_user1051\nEXPOSE 443/tcp\n'
                                                          'ENTRYPOINT ["python3"]\nCMD ["/srv/look.py"]\n'}, "named")
        seen = self.server.get("named").json()
        self.assertEqual((seen["uid"], seen["port"], seen["cwd"]), (993, "443", "/var/task"))

    def test_from_scratch(self):
        folder = self.server.folder({"server.c": STATIC_SERVER, "Dockerfile": 'FROM scratch\nCOPY server /server\nEXPOSE 8080\nENTRYPOINT ["/server"]\n',
                                     ".dockerignore": "*.c\n"})
        subprocess.run(["gcc", "-static", "-O1", "-w", "-o", folder / "server", folder / "server.c"], check=True)
        self.server.deploy(folder, "scratch")
        self.assertEqual(self.server.get("scratch").text, "scratch")

    def test_from_provided(self):
        folder = self.server.folder({"server.c": STATIC_SERVER, "Dockerfile": 'FROM lambda/provided\nCOPY server /srv/server\nEXPOSE 8080\nCMD ["/srv/server"]\n',
                                     ".dockerignore": "*.c\n"})
        subprocess.run(["gcc", "-O1", "-w", "-o", folder / "server", folder / "server.c"], check=True)
        self.server.deploy(folder, "linked")
        self.assertEqual(self.server.get("linked").text, "scratch")

    def test_a_dockerfile_with_a_handler(self):
        files = {"Dockerfile": 'FROM lambda/python:3.11\nCOPY app.py /var/task/\nCMD ["app.handler"]\n', "app.py": HANDLER.replace("NUMBER", "5")}
        self.server.deploy(files, "handled")
        self.assertEqual(self.server.invoke("handled", {"a": 1}).json(), {"number": 5, "event": {"a": 1}})

    def test_a_named_image_stays_when_its_name_moves_on(self):
        name = f"lambda-test-{self.driver}:latest"
        self.addCleanup(docker, "rmi", "-f", name, check=False)
        # Only these are pruned: tests that build meanwhile need theirs.
        label = f"test.prune={self.driver}"
        handler_image(name, 1, label)
        self.server.cli("deploy", "--image", name, "--name", "byname")
        handler_image(name, 2, label)
        docker("image", "prune", "-f", "--filter", f"label={label}")
        self.assertEqual(self.server.invoke("byname").json()["number"], 1)
        self.server.cli("deploy", "--image", name, "--name", "byname")
        self.assertEqual(self.server.invoke("byname").json()["number"], 2)
        self.server.cli("rollback", "byname")
        self.assertEqual(self.server.invoke("byname").json()["number"], 1)
        missing = self.server.cli("deploy", "--image", "no-such-image:1", "--name", "byname", check=False)
        self.assert_fails(missing, missing.returncode, "no-such-image:1", "docker load")
        self.assertNotEqual(missing.returncode, 0)

    def test_a_server_that_is_taken_for_a_handler_is_told_how_it_is_deployed(self):
        name = f"lambda-test-port-{self.driver}:latest"
        self.addCleanup(docker, "rmi", "-f", name, check=False)
        build_image(name, {"Dockerfile": 'FROM lambda/python:3.11\nCOPY server.py /srv/\nEXPOSE 8081 8080\nCMD ["python3", "/srv/server.py"]\n',
                           "server.py": LOOK})
        done = self.server.cli("deploy", "--image", name, "--name", "port", check=False)
        self.assert_fails(done, 3, "exposes port 8080", "deploy it with --kind http --port 8080")
        self.server.cli("deploy", "--image", name, "--name", "port", "--kind", "http", "--port", "8080")
        self.assertEqual(self.server.get("port").json()["port"], "8080")
        done = self.server.deploy({"Dockerfile": f"FROM {name}\n"}, "based", check=False)
        self.assert_fails(done, 3, "deploy it with --kind http --port 8080")

    def test_image_uri_of_aws_clients(self):
        name = f"lambda-test-uri-{self.driver}:latest"
        self.addCleanup(docker, "rmi", "-f", name, check=False)
        handler_image(name, 7)
        client = self.server.boto()
        made = client.create_function(FunctionName="uri", PackageType="Image", Role="arn:aws:iam::000000000000:role/r", Code={"ImageUri": name})
        self.assertEqual(made["PackageType"], "Image")
        self.assertEqual(client.get_function(FunctionName="uri")["Code"]["ImageUri"], name)
        reply = client.invoke(FunctionName="uri", Payload=json.dumps({"a": 1}))
        self.assertEqual(json.loads(reply["Payload"].read()), {"number": 7, "event": {"a": 1}})
        with self.assertRaises(client.exceptions.InvalidParameterValueException) as refused:
            client.create_function(FunctionName="uri2", PackageType="Image", Role="arn:aws:iam::000000000000:role/r",
                                   Code={"ImageUri": "no-such-image:1"})
        self.assertIn("no-such-image:1", str(refused.exception))

    def test_image_uri_of_a_function_on_the_other_driver(self):
        # Of images that no other test has unpacked.
        numbers = [int.from_bytes(os.urandom(4), "big") for _ in range(2)]
        names = [f"lambda-test-other-{self.driver}:{number}" for number in numbers]
        for number, name in zip(numbers, names):
            self.addCleanup(docker, "rmi", "-f", name, check=False)
            handler_image(name, number)
        if self.driver == "docker":  # this server is not root's, and has no other
            done = self.server.cli("deploy", "--image", names[0], "--name", "other", "--driver", "native", check=False)
            self.assert_fails(done, 1, "native driver, which this server lacks", "started as root")
            return
        self.server.cli("deploy", "--image", names[0], "--name", "other", "--driver", "docker")
        client = self.server.boto()
        client.update_function_code(FunctionName="other", ImageUri=names[1])
        identity = docker("image", "inspect", "-f", "{{.Id}}", names[1]).strip().removeprefix("sha256:")
        self.assertFalse((self.server.data / "images" / identity / "rootfs").exists())
        reply = client.invoke(FunctionName="other", Payload=b"{}")
        self.assertEqual(json.loads(reply["Payload"].read()), {"number": numbers[1], "event": {}})
        self.assertEqual(self.server.api("GET", "/_lambda/functions/other").json()["driver"], "docker")

    def test_what_needs_buildkit_is_told_the_way_around(self):
        for line in ("RUN --mount=type=cache,target=/c echo x", "RUN <<EOF\necho x\nEOF", "COPY --link app.py /"):
            done = self.server.deploy({"Dockerfile": f"FROM lambda/python:3.11\n{line}\nEXPOSE 80\n", "app.py": ""}, "kit", check=False)
            self.assert_fails(done, done.returncode, "deploy --image", "BuildKit")
            self.assertNotEqual(done.returncode, 0)

    def test_a_failed_deploy_leaves_no_image(self):
        word = os.urandom(8).hex()
        done = self.server.deploy({"Dockerfile": f'FROM lambda/python:3.11\nLABEL word={word}\nEXPOSE 80\nCMD ["false"]\n'}, "fails", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("exit status 1", done.stderr)
        self.assertEqual(self.names_of("fails"), [])
        self.assertEqual(docker("images", "-q", "--filter", f"label=word={word}"), "")


@on_both_drivers
class ImagesThatAreGone(unittest.TestCase):
    def exported(self, server):
        return len([path for path in (server.data / "images").iterdir() if path.suffix != ".partial"])

    def test_a_deleted_function_leaves_no_image_after_the_next_start(self):
        with LambdaServer(self.driver) as server:
            files = {"look.py": LOOK, "Dockerfile": 'FROM lambda/python:3.11\nCOPY look.py /srv/\nEXPOSE 80\nCMD ["python3", "/srv/look.py"]\n'}
            server.deploy(files, "stays")
            server.deploy({**files, "more": os.urandom(8).hex()}, "goes", "--message", "with a file of its own")
            server.deploy({**files, "look.py": LOOK + "# " + os.urandom(8).hex()}, "goes")
            mark = (server.data / "docker/id").read_text().split()[0]
            images = set(docker("images", "-q", "--no-trunc", "--filter", f"label=lambda.server={mark}").split())
            self.assertEqual(len(images), 3)
            self.assertEqual(self.exported(server), 3 if self.driver == "native" else 0)
            server.cli("delete", "goes", "-y")
            self.assertEqual(server.stop(), 0)
            server.start()
            self.assertEqual(server.get("stays").status, 200)
            images = docker("images", "-q", "--no-trunc", "--filter", f"label=lambda.server={mark}").split()
            self.assertEqual(len(images), 1, images)
            self.assertEqual(self.exported(server), 1 if self.driver == "native" else 0)


class OrdinaryUser(unittest.TestCase):
    """lambdad of somebody who is not root and in the group docker; and of somebody who is not in it."""

    def serve(self, group):
        home = Path(tempfile.mkdtemp(prefix="lambda-test-"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        os.chown(home, 65534, 65534)

        class Server(LambdaServer):
            def command(self):
                groups = f"--groups={group}" if group else "--clear-groups"
                return ["setpriv", "--reuid=65534", "--regid=65534", groups, *super().command()]
        return Server("docker", data=home / "data")

    def test_in_the_group_docker(self):
        group = os.stat("/var/run/docker.sock").st_gid
        with self.serve(group) as server:
            server.deploy({"app.py": HANDLER.replace("NUMBER", "3")}, "mine", "--handler", "app.handler")
            self.assertEqual(server.invoke("mine", {}).json()["number"], 3)
            server.deploy({"look.py": LOOK, "Dockerfile": 'FROM lambda/python:3.11\nCOPY look.py /srv/\nEXPOSE 80\nCMD ["python3", "/srv/look.py"]\n'},
                          "built")
            self.assertEqual(server.get("built").json()["uid"], 993)

    def test_not_in_the_group_docker(self):
        server = self.serve(None)
        with self.assertRaises(AssertionError) as refused:
            server.start()
        self.assertIn("adduser nobody docker", str(refused.exception))


class WithoutDocker(unittest.TestCase):
    """Everything but Dockerfiles works, and those are refused in words."""

    def refuses_dockerfiles(self, host, *words):
        with LambdaServer("native", ["--docker-host", host]) as server:
            server.deploy({"app.py": HANDLER.replace("NUMBER", "4")}, "works", "--handler", "app.handler")
            self.assertEqual(server.invoke("works", {}).json()["number"], 4)
            done = server.deploy({"Dockerfile": "FROM scratch\nEXPOSE 80\n"}, "web", check=False)
            self.assertNotEqual(done.returncode, 0)
            for word in words:
                self.assertIn(word, done.stderr)
            self.assertIn(words[0], server.api("GET", "/_lambda/status").json()["docker"])

    def test_no_daemon(self):
        self.refuses_dockerfiles("unix:///nonexistent/docker.sock", "/nonexistent/docker.sock", "systemctl start docker")

    def test_turned_off(self):
        self.refuses_dockerfiles("none", "Docker is not used on this server")


if __name__ == "__main__":
    unittest.main()
