"""Which server, which key, and what happens when it is not there or is something else."""

import json
import socket
import subprocess
import threading
import time
import unittest

from command_line import KEY, PROGRAM, CommandLineTest, LambdaServer, ScriptedServer, answer_json
from machine import User


def listing(_):
    return answer_json({"functions": []})


class Hosts(CommandLineTest):
    def request_for(self, host, *arguments, **environment):
        """The one request of `lambda list` to a scripted server; {port} in `host` is its port."""
        with ScriptedServer(listing) as server:
            done = self.run_lambda(*[each.format(port=server.port) for each in arguments], "list",
                                   LAMBDA_HOST=host.format(port=server.port), LAMBDA_API_KEY=KEY, **environment)
        self.assert_ends(done, 0)
        self.assertEqual(len(server.received), 1)
        return server.received[0], server.port

    def test_are_urls_or_plain_names(self):
        for host in ("http://127.0.0.1:{port}", "127.0.0.1:{port}", "localhost:{port}", "http://localhost:{port}/"):
            with self.subTest(host=host):
                received, port = self.request_for(host)
                self.assertEqual(received.path, "/_lambda/functions")
                self.assertEqual(received.headers["Host"], host.replace("http://", "").format(port=port).rstrip("/"))
                self.assertEqual(received.headers["Authorization"], f"Bearer {KEY}")

    def test_below_localhost_need_no_dns(self):
        received, port = self.request_for("http://anything.localhost:{port}")
        self.assertEqual(received.headers["Host"], f"anything.localhost:{port}")

    def test_may_have_a_path_in_front(self):
        self.assertEqual(self.request_for("http://127.0.0.1:{port}/behind/proxy/")[0].path, "/behind/proxy/_lambda/functions")

    def test_the_option_wins(self):
        self.request_for("http://127.0.0.1:1", "--host", "http://127.0.0.1:{port}")

    def test_wrong_ones_are_named(self):
        for host in ("ftp://x", "http://", "http://x:99999", "unix:relative", "http://user@x"):
            with self.subTest(host=host):
                self.assert_ends(self.run_lambda("list", LAMBDA_HOST=host), 2, "LAMBDA_HOST")


class Keys(CommandLineTest):
    def test_go_to_no_other_machine_in_the_clear(self):
        for host in ("http://192.0.2.1", "example.com", "http://127.0.0.1.example.com"):
            with self.subTest(host=host):
                began = time.monotonic()
                self.assert_ends(self.run_lambda("list", LAMBDA_HOST=host, LAMBDA_API_KEY=KEY), 4, "plain HTTP", "--insecure", "https://")
                self.assertLess(time.monotonic() - began, 5)

    def test_that_are_none_are_not_shown(self):
        done = self.run_lambda("list", LAMBDA_HOST="http://127.0.0.1:1", LAMBDA_API_KEY="my-secret")
        self.assert_ends(done, 4, "LAMBDA_API_KEY")
        self.assertNotIn("my-secret", done.stderr)

    def test_that_the_server_does_not_know(self):
        with ScriptedServer(lambda _: answer_json({"message": "The security token included in the request is invalid."}, 403)) as server:
            done = self.run_lambda("list", LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        self.assert_ends(done, 4, "does not know this key", "lambda config set-key")


class Servers(CommandLineTest):
    def answer_to_list(self, answer):
        with ScriptedServer(lambda _: answer) as server:
            return self.run_lambda("list", LAMBDA_HOST=f"http://127.0.0.1:{server.port}")

    def test_that_are_not_there(self):
        self.assert_ends(self.run_lambda("list", alone=True, LAMBDA_DATA_DIR=""), 6, "on this machine", "LAMBDA_HOST")
        self.assert_ends(self.run_lambda("list", LAMBDA_HOST="http://127.0.0.1:1"), 6, "127.0.0.1:1", "LAMBDA_HOST", "refused")
        self.assert_ends(self.run_lambda("list", LAMBDA_HOST="unix:/no/such.sock"), 6, "/no/such.sock")
        self.assert_ends(self.run_lambda("list", "--host", "https://no-such-host.invalid"), 6, "no-such-host.invalid", "--host")

    def test_that_are_something_else(self):
        self.assert_ends(self.answer_to_list((200, {}, b"<html>")), 1, "no Lambda server")
        self.assert_ends(self.answer_to_list((301, {"Location": "https://elsewhere/"}, b"")), 2, "https://elsewhere/")
        self.assert_ends(self.answer_to_list((500, {}, b"oops")), 1, "500", "oops")
        self.assert_ends(self.answer_to_list((404, {}, b"<html>nginx</html>")), 1, "404, and not as a Lambda server does: <html>nginx")
        self.assert_ends(self.answer_to_list((200, {}, b"[]")), 1, "(from LAMBDA_HOST) answered something that is no Lambda server's")

    def test_that_do_not_know_a_function_are_not_told_by_any_404(self):
        """A deploy goes on where the function is not there yet, and not where something else answers."""
        with ScriptedServer(lambda _: (404, {}, b"<html>nginx</html>")) as server:
            done = self.run_lambda("deploy", self.folder({"app.py": "def handler(event, context): return 1"}), LAMBDA_HOST=f"http://127.0.0.1:{server.port}")
        self.assert_ends(done, 1, "not as a Lambda server does")
        self.assertNotIn("Packaging", done.stderr)

    def test_that_speak_no_http(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def answer():
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
                connection.close()
            thread = threading.Thread(target=answer)
            thread.start()
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            self.assert_ends(self.run_lambda("list", LAMBDA_HOST=address), 1, f"what answers at {address} (from LAMBDA_HOST) is no Lambda server: ")
            thread.join()

    def test_that_are_older(self):
        message = "there is no operation at GET /_lambda/functions; a function is reached at its host name or at /fn/NAME/"
        self.assert_ends(self.answer_to_list(answer_json({"message": message}, 404)), 5, message, "older than this program? `lambda version`")

    def test_that_are_of_another_version(self):
        self.assert_ends(self.answer_to_list(answer_json({"functions": ["greet"]})), 1, "the server's answer is of another shape", "`lambda version`")

    def test_that_break_off(self):
        self.assert_ends(self.answer_to_list((200, {"Content-Length": 100}, b"{")), 6, "127.0.0.1")

    def test_errors_become_exit_codes(self):
        for status, code in [(400, 2), (401, 4), (403, 4), (404, 5), (409, 1), (413, 2), (429, 1), (500, 1), (503, 1)]:
            with self.subTest(status=status):
                self.assert_ends(self.answer_to_list(answer_json({"message": "what happened"}, status)), code, "lambda: what happened\n")


class Https(CommandLineTest):
    @classmethod
    def setUpClass(cls):
        import tempfile
        cls.place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.place.cleanup)
        cls.certificate, cls.secret = f"{cls.place.name}/cert.pem", f"{cls.place.name}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", cls.secret, "-out", cls.certificate, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)

    def test_with_a_certificate_that_is_trusted(self):
        with ScriptedServer(listing, tls=(self.certificate, self.secret)) as server:
            done = self.run_lambda("list", LAMBDA_HOST=f"https://localhost:{server.port}", LAMBDA_API_KEY=KEY, SSL_CERT_FILE=self.certificate)
        self.assert_ends(done, 0)
        self.assertEqual(server.received[0].headers["Authorization"], f"Bearer {KEY}")

    def test_with_one_that_is_not_or_is_anothers(self):
        with ScriptedServer(listing, tls=(self.certificate, self.secret)) as server:
            self.assert_ends(self.run_lambda("list", LAMBDA_HOST=f"https://localhost:{server.port}", LAMBDA_API_KEY=KEY), 6, "certificate")
            self.assert_ends(self.run_lambda("list", LAMBDA_HOST=f"https://127.0.0.1:{server.port}", SSL_CERT_FILE=self.certificate), 6, "certificate")
        self.assertEqual(server.received, [])


class LocalServer(CommandLineTest):
    """The real one: found by its files, and over its socket without a key."""

    def test_is_found_by_its_files(self):
        with LambdaServer() as server:
            done = self.run_lambda("config", "show", "-o", "json", LAMBDA_DATA_DIR=str(server.data))
            shown = json.loads(done.stdout)
            self.assertEqual((shown["host"], shown["hostSource"]), (f"http://127.0.0.1:{server.port}", str(server.data)))
            self.assertNotIn(server.key, done.stdout)
            self.assert_ends(self.run_lambda("list", LAMBDA_DATA_DIR=str(server.data)), 0)

    def test_a_directory_that_is_named_is_the_only_one_looked_at(self):
        """Another server's files lie in a usual place; a host is kept for all commands."""
        with LambdaServer() as server:
            usual = self.home / ".local/share/lambda"
            usual.parent.mkdir(parents=True)
            usual.symlink_to(server.data)
            (self.home / ".config/lambda").mkdir(parents=True)
            (self.home / ".config/lambda/config.toml").write_text(f'host = "{server.url}"\nkey = "{server.key}"\n')
            self.assert_ends(self.run_lambda("list", LAMBDA_DATA_DIR=""), 0)
            commands = (["list"], ["config", "show"], ["config", "aws"], ["delete", "greet", "-y"], ["deploy", self.folder({"app.py": ""})])
            for words in commands:
                with self.subTest(words=words):
                    done = self.run_lambda(*words, LAMBDA_DATA_DIR="elsewhere")
                    self.assert_ends(done, 6, f"there is no {self.home}/elsewhere/server.json", "./run", f"lambdad --data-dir {self.home}/elsewhere")
                    self.assertEqual(done.stdout, "")

    def test_is_reached_over_its_socket(self):
        socket = self.home / "lambda.sock"
        self.home.chmod(0o777)
        with LambdaServer(flags=["--socket", str(socket)]) as server:
            self.assert_ends(self.run_lambda("list", LAMBDA_HOST=f"unix:{socket}"), 0)
            done = self.run_lambda("doctor", LAMBDA_HOST=f"unix:{socket}")
            self.assert_ends(done, 0)
            self.assertIn("python3.11", done.stdout)
            self.assert_ends(self.run_lambda("config", "aws", LAMBDA_HOST=f"unix:{socket}"), 4, "set-key")
            with_key = self.run_lambda("config", "aws", LAMBDA_HOST=f"unix:{socket}", LAMBDA_API_KEY=server.key)
            self.assertIn(f"AWS_ENDPOINT_URL_LAMBDA=http://localhost:{server.port}\n", with_key.stdout)


class KilledServer(CommandLineTest):
    """What kill -9 leaves of a server names nobody any more: others may have its port and its socket by now."""

    def killed(self, **more):
        server = LambdaServer(**more)
        self.addCleanup(server.close)
        server.start().kill()
        self.assertTrue((server.data / "server.json").exists())
        return server

    def test_its_key_goes_to_nobody_who_listens_on_its_port(self):
        server = self.killed()
        usual = self.home / ".local/share/lambda"
        usual.parent.mkdir(parents=True)
        usual.symlink_to(server.data)
        with ScriptedServer(listing, port=server.port) as stranger:
            self.assert_ends(self.run_lambda("list", LAMBDA_DATA_DIR=str(server.data)), 6, "server.json is there, but no server runs with it",
                             "kill -9", f"lambdad --data-dir {server.data}")
            self.assert_ends(self.run_lambda("list", alone=True, LAMBDA_DATA_DIR=""), 6, "no server was found on this machine")
            self.assertEqual(stranger.received, [])
            self.run_lambda("list", LAMBDA_DATA_DIR=str(server.data), LAMBDA_HOST=f"localhost:{server.port}")
            self.assertEqual([each.headers["Authorization"] for each in stranger.received], [None])
        server.start()
        self.assert_ends(self.run_lambda("list", LAMBDA_DATA_DIR=str(server.data)), 0)

    def test_its_socket_is_not_that_of_the_server_which_has_its_path_now(self):
        self.home.chmod(0o777)
        socket = self.home / "lambda.sock"
        killed = self.killed(flags=["--socket", str(socket)])
        # May read no key and see no lock, but use the socket.
        member = User("lambda")
        self.addCleanup(member.close)

        def command(server, *words):
            return member.run(PROGRAM, *words, environment={"LAMBDA_DATA_DIR": str(server.data)})
        with LambdaServer(flags=["--socket", str(socket)]) as other:
            other.deploy({"app.py": "def handler(e, c): return 1"}, "precious", "--handler", "app.handler")
            self.assert_ends(command(killed, "delete", "precious", "-y"), 6, "server.json is there, but", "kill -9")
            done = command(other, "list")
            self.assert_ends(done, 0)
            self.assertIn("precious", done.stdout)

    def test_no_key_goes_to_its_port_where_nothing_shows_that_it_lives(self):
        self.home.chmod(0o777)
        socket = self.home / "lambda.sock"
        member = User("lambda")
        self.addCleanup(member.close)
        for flags in (["--socket", str(socket)], ["--socket", "none"]):
            killed = self.killed(flags=flags)
            socket.unlink(missing_ok=True)
            with ScriptedServer(listing, port=killed.port) as stranger:
                done = member.run(PROGRAM, "list", environment={"LAMBDA_DATA_DIR": str(killed.data), "LAMBDA_API_KEY": KEY})
                self.assert_ends(done, 4, "cannot be seen", "lambda.lock", "LAMBDA_HOST")
                self.assertEqual(stranger.received, [])


class ClosedDirectory(CommandLineTest):
    def test_what_cannot_be_seen_is_not_said_to_be_absent(self):
        data = self.home / "data"
        data.mkdir(mode=0o700)
        (data / "server.json").write_text('{"url": "http://127.0.0.1:1"}')
        self.home.chmod(0o711)
        stranger = User()
        self.addCleanup(stranger.close)
        done = stranger.run(PROGRAM, "list", environment={"LAMBDA_DATA_DIR": str(data)})
        self.assert_ends(done, 4, f"cannot be seen: read {data}/server.json: Permission denied", "Its owner and root may see it")
        self.assertNotIn("no server runs", done.stderr)


if __name__ == "__main__":
    unittest.main()
