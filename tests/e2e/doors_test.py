"""The ways in: the function's host, /fn/, who may call, what is answered to whom."""

import json
import unittest

from lambda_server import ServerTest, on_both_drivers

ECHO = '''
def handler(event, context):
    if event.get("rawPath", "").endswith("/cookies"):
        return {"statusCode": 201, "headers": {"X-Mine": "yes"}, "cookies": ["a=1", "b=2"], "body": "made"}
    return event
'''


@on_both_drivers
class Doors(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.server.folder({"app.py": ECHO})
        for name, url in (("open", "open"), ("keyed", "key"), ("signed", "iam"), ("closed", "none")):
            cls.server.deploy(cls.folder, name, "--handler", "app.handler", "--url", url)

    def test_the_host_is_the_function(self):
        event = self.server.get("open", "/a/b%20c?x=1&x=2&y=", headers={"X-Custom": "v", "Cookie": "k=v; l=w"}).json()
        self.assertEqual(event["rawPath"], "/a/b%20c")  # as it was sent
        self.assertEqual(event["rawQueryString"], "x=1&x=2&y=")
        self.assertEqual(event["queryStringParameters"], {"x": "1,2", "y": ""})
        self.assertEqual(event["headers"]["x-custom"], "v")
        self.assertEqual(event["cookies"], ["k=v", "l=w"])
        self.assertEqual(event["requestContext"]["http"]["method"], "GET")
        self.assertEqual(event["version"], "2.0")

    def test_every_path_of_the_host_is_the_function_s(self):
        for path in ("/2015-03-31/functions", "/_lambda/health", "/fn/closed/", "/metrics"):
            self.assertEqual(self.server.get("open", path).json()["rawPath"], path)

    def test_bodies(self):
        event = self.server.post("open", b"{\"a\": 1}", headers={"Content-Type": "application/json"}).json()
        self.assertEqual((event["body"], event["isBase64Encoded"]), ('{"a": 1}', False))
        event = self.server.post("open", b"\xff\x00", headers={"Content-Type": "application/octet-stream"}).json()
        self.assertEqual((event["body"], event["isBase64Encoded"]), ("/wA=", True))

    def test_the_reply_is_mapped(self):
        reply = self.server.get("open", "/cookies")
        self.assertEqual((reply.status, reply.headers["x-mine"], reply.text), (201, "yes", "made"))
        self.assertEqual([value for name, value in reply.header_list if name.lower() == "set-cookie"], ["a=1", "b=2"])

    def test_fn_door(self):
        reply = self.server.request("GET", "/fn/open/a/b?x=1")
        self.assertEqual(reply.json()["rawPath"], "/a/b")
        self.assertEqual(reply.json()["headers"]["x-forwarded-prefix"], "/fn/open")
        self.assertIn("sandbox", reply.headers["content-security-policy"])
        self.assertNotIn("set-cookie", self.server.request("GET", "/fn/open/cookies").headers)
        self.assertEqual(self.server.request("GET", "/fn/nobody/").status, 404)

    def test_an_unknown_function_is_told_with_the_nearest_name(self):
        reply = self.server.get("opne")
        self.assertEqual(reply.status, 404)
        self.assertIn("open", reply.text)
        self.assertIn("requestId", reply.json())
        self.assertEqual(self.server.get("opne", "/2015-03-31/functions").status, 404)
        done = self.server.cli("invoke", "opne", "--data", "{}", check=False)
        self.assertEqual(done.returncode, 5)
        self.assertIn("open", done.stderr)

    def test_a_closed_url_names_the_command_that_opens_it(self):
        reply = self.server.get("closed")
        self.assertEqual(reply.status, 403)
        self.assertIn("lambda url closed open", reply.text)
        self.assertEqual(self.server.invoke("closed", {"a": 1}).json(), {"a": 1})

    def test_create_function_opens_no_url(self):
        import io
        import zipfile
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as package:
            package.writestr("app.py", ECHO)
        client = self.server.boto()
        client.create_function(FunctionName="made", Runtime="python3.11", Handler="app.handler", Role="arn:aws:iam::000000000000:role/any",
                               Code={"ZipFile": buffer.getvalue()})
        client.get_waiter("function_active_v2").wait(FunctionName="made")
        reply = self.server.get("made")
        self.assertEqual(reply.status, 403)
        self.assertIn("lambda", reply.text)
        self.assertEqual(json.loads(client.invoke(FunctionName="made", Payload=b'{"a":1}')["Payload"].read()), {"a": 1})

    def test_a_keyed_url(self):
        self.assertEqual(self.server.get("keyed").status, 403)
        self.assertEqual(self.server.get("keyed", headers={"X-Lambda-Key": "lam_" + "A" * 20 + "_" + "b" * 40}).status, 403)
        reply = self.server.get("keyed", headers={"X-Lambda-Key": self.server.key, "Authorization": "Bearer mine"})
        self.assertEqual(reply.status, 200, reply)
        self.assertNotIn("x-lambda-key", reply.json()["headers"])
        self.assertEqual(reply.json()["headers"]["authorization"], "Bearer mine")

    def test_a_signed_url(self):
        self.assertEqual(self.server.get("signed").status, 403)
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        identity, secret = self.server.key.removeprefix("lam_").split("_")
        host = f"signed.localhost:{self.server.port}"
        request = AWSRequest("GET", f"http://{host}/x?a=1", headers={"Host": host})
        SigV4Auth(Credentials(identity, secret), "lambda", "us-east-1").add_auth(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        self.assertEqual(self.server.get("signed", "/x?a=1", headers=headers).status, 200)
        headers["Authorization"] = headers["Authorization"][:-4] + "0000"
        self.assertEqual(self.server.get("signed", "/x?a=1", headers=headers).status, 403)

    def test_an_open_url_passes_authorization_through(self):
        reply = self.server.get("open", headers={"Authorization": "Basic dTpw"})
        self.assertEqual(reply.json()["headers"]["authorization"], "Basic dTpw")

    def test_the_control_api_wants_a_key(self):
        for path in ("/2015-03-31/functions/", "/_lambda/functions", "/_lambda/status"):
            self.assertEqual(self.server.request("GET", path).status, 403, path)
            self.assertEqual(self.server.request("GET", path, headers={"Authorization": "Bearer nonsense"}).status, 403, path)
            self.assertEqual(self.server.api("GET", path).status, 200, path)
        done = self.server.cli("list", env={"LAMBDA_API_KEY": "lam_" + "A" * 20 + "_" + "b" * 40}, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)

    def test_the_server_s_own_root_says_where_functions_are(self):
        names = [each["name"] for each in self.server.api("GET", "/_lambda/functions").json()["functions"]]
        plain = self.server.request("GET", "/")
        self.assertEqual(plain.status, 200)
        page = self.server.request("GET", "/", headers={"Accept": "text/html,*/*;q=0.8"})
        self.assertEqual((page.status, page.headers["content-type"]), (200, "text/html; charset=utf-8"))
        for text in (plain.json()["message"], page.text):
            self.assertIn(f"http://NAME.localhost:{self.server.port}", text)
            self.assertIn(f"{self.server.url}/fn/NAME/", text)
            for name in names:
                self.assertNotIn(f"/{name}", text)
                self.assertNotIn(f"{name}.localhost", text)
        self.assertEqual(self.server.request("HEAD", "/").body, b"")
        self.assertEqual(self.server.request("POST", "/").status, 403)

    def test_a_server_that_is_not_there(self):
        done = self.server.cli("list", env={"LAMBDA_HOST": "http://127.0.0.1:1"}, check=False)
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("127.0.0.1:1", done.stderr)

    def test_head_and_options(self):
        self.assertEqual(self.server.request("HEAD", "/", host=f"open.localhost:{self.server.port}").body, b"")
        event = self.server.request("OPTIONS", "/x", host=f"open.localhost:{self.server.port}").json()
        self.assertEqual(event["requestContext"]["http"]["method"], "OPTIONS")


if __name__ == "__main__":
    unittest.main()
