"""AWS's own clients, unmodified, with a key that may not everything: boto3, the AWS CLI, presigned URLs."""

import json
import time
import unittest

import boto3
import botocore.exceptions
from botocore.config import Config

from aws_clients import ROLE, AwsTest, zipped


class Restricted(AwsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("greet", "other"):
            cls.client.create_function(FunctionName=name, Role=ROLE, Runtime="python3.11", Handler="app.handler", Code={"ZipFile": zipped()})

    def holder(self, name, scopes, functions=(), expires=None):
        """boto3's client of a new key, and the key."""
        body = {"name": name, "scopes": scopes.split(","), "functions": list(functions)}
        reply = self.server.api("POST", "/_lambda/keys", {**body, **({"expires": expires} if expires else {})})
        self.assertEqual(reply.status, 201, reply)
        key = reply.json()
        client = boto3.client("lambda", endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id=key["accessKeyId"],
                              aws_secret_access_key=key["secretAccessKey"], config=Config(retries={"max_attempts": 0}))
        self.addCleanup(client.close)
        return client, key

    def assert_denied(self, call, action, arn):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call()
        error = caught.exception.response
        self.assertEqual((error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]), (403, "AccessDeniedException"), error)
        message = error["Error"].get("Message") or error["Message"]
        self.assertRegex(message, rf"^User: arn:aws:iam::000000000000:user/[A-Z0-9]{{20}} is not authorized to perform: lambda:{action} on resource: "
                                  rf"{arn} because no identity-based policy allows the lambda:{action} action")

    def test_boto3(self):
        client, key = self.holder("ci", "deploy,invoke", ["gre*"])
        self.assertEqual([each["FunctionName"] for each in client.list_functions()["Functions"]], ["greet"])
        self.assertEqual(json.loads(client.invoke(FunctionName="greet", Payload=b'{"a": 1}')["Payload"].read())["event"], {"a": 1})
        self.assertEqual(client.update_function_code(FunctionName="greet", ZipFile=zipped())["FunctionName"], "greet")
        arn = "arn:aws:lambda:us-east-1:000000000000:function:other"
        self.assert_denied(lambda: client.invoke(FunctionName="other"), "InvokeFunction", arn)
        self.assert_denied(lambda: client.invoke(FunctionName=arn), "InvokeFunction", arn)
        self.assert_denied(lambda: client.invoke(FunctionName="000000000000:function:other:$LATEST"), "InvokeFunction", arn)
        self.assert_denied(lambda: client.get_function(FunctionName="other"), "GetFunction", arn)
        self.assert_denied(lambda: client.tag_resource(Resource=arn, Tags={"a": "b"}), "TagResource", arn)
        self.assert_denied(lambda: client.create_function(FunctionName="new", Role=ROLE, Runtime="python3.11", Handler="app.handler",
                                                          Code={"ZipFile": zipped()}), "CreateFunction", arn.replace("other", "new"))
        self.assertEqual(client.create_function(FunctionName="gre-at", Role=ROLE, Runtime="python3.11", Handler="app.handler",
                                                Code={"ZipFile": zipped()})["FunctionName"], "gre-at")
        client.delete_function(FunctionName="gre-at")
        audit = self.server.api("GET", f"/_lambda/audit?key={key['id']}&function=gre-at").json()["entries"]
        self.assertEqual([(each["operation"], each["status"]) for each in audit], [("DeleteFunction", 204), ("CreateFunction", 201)])

    def test_only_reading(self):
        client, _ = self.holder("reader", "read")
        self.assertEqual(client.get_function(FunctionName="greet")["Configuration"]["FunctionName"], "greet")
        arn = "arn:aws:lambda:us-east-1:000000000000:function:greet"
        self.assert_denied(lambda: client.invoke(FunctionName="greet"), "InvokeFunction", arn)
        self.assert_denied(lambda: client.put_function_concurrency(FunctionName="greet", ReservedConcurrentExecutions=1), "PutFunctionConcurrency", arn)
        self.assert_denied(lambda: client.delete_function(FunctionName="greet"), "DeleteFunction", arn)

    def test_environment_variables_are_for_who_may_deploy(self):
        values = {"PASSWORD": "hunter2"}
        self.client.create_function(FunctionName="sealed", Role=ROLE, Runtime="python3.11", Handler="app.handler", Code={"ZipFile": zipped()},
                                    Environment={"Variables": values}, Publish=True)
        self.addCleanup(self.client.delete_function, FunctionName="sealed")

        def environments(client):
            listed = [each for each in client.list_functions(FunctionVersion="ALL")["Functions"] if each["FunctionName"] == "sealed"]
            shown = [client.get_function(FunctionName="sealed")["Configuration"], client.get_function_configuration(FunctionName="sealed", Qualifier="1"),
                     *listed, *client.list_versions_by_function(FunctionName="sealed")["Versions"]]
            self.assertEqual(len(shown), 6)
            return [each["Environment"] for each in shown]

        deployer, _ = self.holder("sees", "deploy", ["seal*"])
        self.assertEqual(environments(deployer), [{"Variables": values}] * 6)
        reader, key = self.holder("sees-not", "read,invoke")
        for seen in environments(reader):
            self.assertEqual(list(seen), ["Error"])
            self.assertEqual(seen["Error"]["ErrorCode"], "AccessDeniedException")
            self.assertIn('"sees-not" has the scope read,invoke, and this needs deploy', seen["Error"]["Message"])
        with_key = {"key_id": key["accessKeyId"], "secret": key["secretAccessKey"]}
        for arguments in (("get-function", "--function-name", "sealed"), ("list-functions",), ("list-versions-by-function", "--function-name", "sealed")):
            shown = json.dumps(self.aws(*arguments, **with_key))
            self.assertIn("AccessDeniedException", shown)
            self.assertNotIn("hunter2", shown)
            self.assertNotIn("PASSWORD", shown)
        code = self.aws("get-function-configuration", "--function-name", "sealed", "--query", "Environment.Error.ErrorCode", **with_key)
        self.assertEqual(code, "AccessDeniedException")

    def test_the_aws_cli(self):
        _, key = self.holder("cli", "invoke", ["greet"])
        with_key = {"key_id": key["accessKeyId"], "secret": key["secretAccessKey"]}
        answer = self.server.home / "answer.json"
        self.aws("invoke", "--function-name", "greet", "--payload", "e30=", answer, **with_key)
        self.assertEqual(json.loads(answer.read_text())["event"], {})
        for arguments, action in ((("invoke", "--function-name", "other", answer), "InvokeFunction"), (("list-functions",), "ListFunctions"),
                                  (("delete-function", "--function-name", "greet"), "DeleteFunction")):
            done = self.aws(*arguments, check=False, **with_key)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("An error occurred (AccessDeniedException)", done.stderr)
            self.assertIn(f"is not authorized to perform: lambda:{action}", done.stderr)

    def test_presigned(self):
        client, _ = self.holder("presigner", "invoke", ["greet"])
        for name, status in (("greet", 200), ("other", 403)):
            url = client.generate_presigned_url("invoke", Params={"FunctionName": name}, ExpiresIn=60)
            self.assertEqual(self.server.request("POST", url.removeprefix(self.server.url)).status, status)

    def test_revoked_and_expired(self):
        client, key = self.holder("gone", "read")
        client.list_functions()
        self.server.api("DELETE", f"/_lambda/keys/{key['id']}")
        self.assert_refused(client.list_functions, 403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        client, _ = self.holder("late", "read", expires="1s")
        deadline = time.monotonic() + 10
        while True:
            try:
                client.list_functions()
            except botocore.exceptions.ClientError:
                break
            self.assertLess(time.monotonic(), deadline)
        self.assert_refused(client.list_functions, 403, "ExpiredTokenException", "The security token included in the request is expired")

    def test_signed_urls_of_functions(self):
        self.client.create_function_url_config(FunctionName="greet", AuthType="AWS_IAM")
        self.addCleanup(self.client.delete_function_url_config, FunctionName="greet")
        for name, scopes, functions, status in (("url-right", "invoke", ["greet"], 200), ("url-other", "invoke", ["other"], 403), ("url-read", "read", [], 403)):
            _, key = self.holder(name, scopes, functions)
            reply = self.signed("GET", "/fn/greet/", key_id=key["accessKeyId"], secret=key["secretAccessKey"])
            self.assertEqual(reply.status, status, reply)


if __name__ == "__main__":
    unittest.main()
