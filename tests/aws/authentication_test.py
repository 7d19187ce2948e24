"""Who may call: bearer tokens, SigV4 in a header and in a URL, and every way of getting it wrong, with AWS's codes and words."""

import base64
import datetime
import hashlib
import json
import unittest
from unittest import mock

import boto3
import botocore.auth

from aws_clients import ROLE, AwsTest, zipped

LIST = "/2015-03-31/functions/"
UNKNOWN = "The security token included in the request is invalid."


class Authentication(AwsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.create_function(FunctionName="f", Role=ROLE, Runtime="python3.11", Handler="app.handler", Code={"ZipFile": zipped()})

    def assert_reply(self, reply, code, message, status=403):
        self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (status, code), reply)
        self.assertIn(message, reply.json()["message"])
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertIn("x-amzn-requestid", reply.headers)
        self.assertIn("date", reply.headers)

    def test_bearer(self):
        self.assertEqual(self.server.api("GET", LIST).status, 200)
        identity, secret = self.key_id, self.secret
        for token in (f"lam_{identity}_{secret[:-1]}x", f"lam_{'A' * 20}_{secret}", "lam_", secret):
            reply = self.server.request("GET", LIST, headers={"Authorization": f"Bearer {token}"})
            self.assert_reply(reply, "UnrecognizedClientException", UNKNOWN)
        self.assertEqual(self.server.request("GET", LIST, headers={"Authorization": f"bearer {self.server.key}"}).status, 200)

    def test_none(self):
        for path in (LIST, "/2015-03-31/nothing", "/_lambda/status"):
            reply = self.server.request("GET", path)
            self.assert_reply(reply, "MissingAuthenticationTokenException", "Missing Authentication Token")
        done = self.aws("list-functions", "--no-sign-request", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("(MissingAuthenticationTokenException)", done.stderr)
        self.assertIn("Missing Authentication Token", done.stderr)

    def test_signed(self):
        self.assertEqual(self.signed("GET", LIST).status, 200)
        for region in ("us-east-1", "eu-central-1", "mars-north-7"):
            self.assertEqual(self.signed("GET", LIST, region=region).status, 200)
            self.assertEqual(self.signed("GET", LIST + "?MaxItems=1&Marker=&FunctionVersion=ALL", region=region).status, 200)
        # Every path that is encoded, with a query and a body.
        path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations?Qualifier=%24LATEST"
        reply = self.signed("POST", path, body=b'{"a": 1}')
        self.assertEqual((reply.status, reply.json()["event"]), (200, {"a": 1}))
        tagged = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af"
        self.assertEqual(self.signed("POST", tagged, body=json.dumps({"Tags": {"a b": "é+/="}})).status, 204)
        self.assertEqual(self.signed("DELETE", tagged + "?tagKeys=a%20b&tagKeys=%C3%A9%2B").status, 204)

    def test_signed_with_the_body_declared(self):
        path, body = "/2015-03-31/functions/f/invocations", b'{"a": 1}'
        right = hashlib.sha256(body).hexdigest()
        for declared, status in ((right, 200), ("UNSIGNED-PAYLOAD", 200), (hashlib.sha256(b"other").hexdigest(), 403)):
            with mock.patch.object(botocore.auth.SigV4Auth, "payload", return_value=declared):
                reply = self.signed("POST", path, body=body, headers={"X-Amz-Content-Sha256": declared})
            self.assertEqual(reply.status, status, (declared, reply))

    def test_wrong_signatures(self):
        mismatch = "The request signature we calculated does not match the signature you provided."
        invalid = "InvalidSignatureException"
        self.assert_reply(self.signed("GET", LIST, secret="x" * 40), invalid, mismatch)
        self.assert_reply(self.signed("GET", LIST, key_id="A" * 20), "UnrecognizedClientException", UNKNOWN)
        self.assert_reply(self.signed("GET", LIST, token="FQoGZXIvYXdzEXAMPLE"), "UnrecognizedClientException", UNKNOWN)
        self.assert_reply(self.signed("GET", LIST, service="s3"), invalid, "Credential should be scoped to correct service: 'lambda'.")

        def other_body(request):
            request.body = b'{"a": 2}'

        def other_path(request):
            request.url += "nobody"

        def other_query(request):
            request.url += "?MaxItems=2"

        def other_host(request):
            request.headers["Host"] = "elsewhere:80"

        self.assert_reply(self.signed("POST", "/2015-03-31/functions/f/invocations", body=b'{"a": 1}', change=other_body), invalid, mismatch)
        for change in (other_path, other_query, other_host):
            self.assert_reply(self.signed("GET", LIST, change=change), invalid, mismatch)

        def without(part):
            def change(request):
                header = request.headers["Authorization"]
                header = header.decode() if isinstance(header, bytes) else header
                request.headers["Authorization"] = ", ".join(each for each in header.split(", ") if part not in each)
            return change

        for part in ("SignedHeaders", "Signature="):
            self.assert_reply(self.signed("GET", LIST, change=without(part)), "IncompleteSignatureException", part.rstrip("="))
        reply = self.server.request("GET", LIST, headers={"Authorization": "AWS4-HMAC-SHA256 nonsense"})
        self.assert_reply(reply, "IncompleteSignatureException", "'Credential'")

    def test_dates(self):
        for minutes, words in ((-10, "Signature expired: "), (10, "Signature not yet current: ")):
            reply = self.at(minutes, lambda: self.signed("GET", LIST))
            self.assert_reply(reply, "InvalidSignatureException", words)
            self.assertIn("5 min.", reply.json()["message"])
            self.assertRegex(reply.json()["message"], r"It is \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC on the server: set this machine's clock$")
        for minutes in (-4, 4):
            self.assertEqual(self.at(minutes, lambda: self.signed("GET", LIST)).status, 200)

    @staticmethod
    def at(minutes, call):
        """`call` while botocore's signer takes the time for `minutes` from now."""
        moment = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
        clock = mock.Mock(wraps=datetime.datetime)
        clock.utcnow.return_value = moment
        with mock.patch.object(botocore.auth.datetime, "datetime", clock):
            return call()

    def test_presigned_urls(self):
        url = self.client.generate_presigned_url("invoke", Params={"FunctionName": "f"}, ExpiresIn=60)
        target = url.removeprefix(self.server.url)
        reply = self.server.request("POST", target)
        self.assertEqual((reply.status, reply.json()["event"]), (200, {}))
        mismatch = "The request signature we calculated does not match"
        self.assert_reply(self.server.request("POST", target, body=b'{"a": 1}'), "InvalidSignatureException", mismatch)
        self.assert_reply(self.server.request("POST", target.replace("/f/", "/g/")), "InvalidSignatureException", mismatch)
        self.assert_reply(self.server.request("GET", target.replace("/invocations", "")), "InvalidSignatureException", mismatch)
        self.assert_reply(self.server.request("POST", target.replace("X-Amz-Expires=60", "X-Amz-Expires=600")), "InvalidSignatureException",
                          mismatch)
        self.assert_reply(self.server.request("POST", target.replace("X-Amz-Expires=60", "X-Amz-Expires=6000000")),
                          "IncompleteSignatureException", "X-Amz-Expires")
        old = self.at(-2, lambda: self.client.generate_presigned_url("invoke", Params={"FunctionName": "f"}, ExpiresIn=60))
        self.assert_reply(self.server.request("POST", old.removeprefix(self.server.url)), "InvalidSignatureException", "Signature expired: ")
        old = self.at(-2, lambda: self.client.generate_presigned_url("invoke", Params={"FunctionName": "f"}, ExpiresIn=600))
        self.assertEqual(self.server.request("POST", old.removeprefix(self.server.url)).status, 200)

    def test_boto_names_the_errors(self):
        for key_id, code, words in (("B" * 20, "UnrecognizedClientException", UNKNOWN),
                                    (self.key_id, "InvalidSignatureException", "Check your AWS Secret Access Key")):
            stranger = boto3.client("lambda", endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id=key_id,
                                    aws_secret_access_key="c" * 40)
            self.addCleanup(stranger.close)
            self.assert_refused(stranger.list_functions, 403, code, words)

    def test_a_stranger_cannot_make_the_server_read_a_large_body(self):
        reply = self.signed("POST", "/2015-03-31/functions", body=b"x" * 30_000_000, key_id="A" * 20)
        self.assert_reply(reply, "UnrecognizedClientException", UNKNOWN)

    def test_client_context_is_signed_with_the_rest(self):
        context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
        reply = self.signed("POST", "/2015-03-31/functions/f/invocations", body=b"{}", headers={"X-Amz-Client-Context": context})
        self.assertEqual(reply.json()["custom"], {"a": "b"})

        def other(request):
            request.headers["X-Amz-Client-Context"] = base64.b64encode(b'{"custom": {"a": "c"}}').decode()

        reply = self.signed("POST", "/2015-03-31/functions/f/invocations", body=b"{}", headers={"X-Amz-Client-Context": context}, change=other)
        self.assert_reply(reply, "InvalidSignatureException", "does not match")


if __name__ == "__main__":
    unittest.main()
