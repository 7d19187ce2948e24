"""Debian's AWS CLI, unmodified, with the settings that `lambda config aws` prints."""

import base64
import json
import subprocess
import unittest

from aws_clients import ARN, ROLE, AwsTest, zipped


class CommandLine(AwsTest):
    def setUp(self):
        super().setUp()
        self.package = self.server.home / "code.zip"
        self.package.write_bytes(zipped())

    def make(self, name, *arguments):
        made = self.aws("create-function", "--function-name", name, "--role", ROLE, "--runtime", "python3.11", "--handler", "app.handler",
                        "--zip-file", f"fileb://{self.package}", *arguments)
        self.addCleanup(self.remove, name)
        return made

    def test_a_functions_life(self):
        made = self.make("life", "--environment", "Variables={WORD=one}", "--tags", "team=x", "--timeout", "9", "--publish")
        self.assertEqual((made["Version"], made["Timeout"]), ("1", 9))
        for waiter in ("function-exists", "function-active", "function-active-v2", "function-updated", "function-updated-v2"):
            self.aws("wait", waiter, "--function-name", "life")
        self.aws("wait", "published-version-active", "--function-name", "life", "--qualifier", "1")
        out = self.server.home / "out.json"
        said = self.aws("invoke", "--function-name", "life", "--payload", '{"a": "ü"}', "--cli-binary-format", "raw-in-base64-out",
                        "--log-type", "Tail", "--client-context", base64.b64encode(b'{"custom": {"k": "v"}}').decode(), out)
        self.assertEqual((said["StatusCode"], said["ExecutedVersion"]), (200, "$LATEST"))
        self.assertIn("REPORT RequestId", base64.b64decode(said["LogResult"]).decode())
        answer = json.loads(out.read_text())
        self.assertEqual((answer["event"], answer["word"], answer["custom"]), ({"a": "ü"}, "one", {"k": "v"}))
        self.assertEqual(self.aws("invoke", "--function-name", "life:1", out)["ExecutedVersion"], "1")
        self.assertEqual(self.aws("invoke", "--function-name", ARN + "life", "--qualifier", "1", out)["ExecutedVersion"], "1")
        said = self.aws("invoke", "--function-name", "life", "--payload", base64.b64encode(b'{"fail": true}').decode(), out)
        self.assertEqual(said["FunctionError"], "Unhandled")
        self.assertEqual(json.loads(out.read_text())["errorMessage"], "as asked")
        self.package.write_bytes(zipped("def handler(event, context): return 'new'\n"))
        self.aws("update-function-code", "--function-name", "life", "--zip-file", f"fileb://{self.package}")
        self.aws("update-function-configuration", "--function-name", "life", "--memory-size", "256", "--description", "d e")
        self.assertEqual(self.aws("publish-version", "--function-name", "life")["Version"], "2")
        self.aws("invoke", "--function-name", "life", out)
        self.assertEqual(out.read_text(), '"new"')
        listed = self.aws("list-versions-by-function", "--function-name", "life")["Versions"]
        self.assertEqual([each["Version"] for each in listed], ["$LATEST", "1", "2"])
        self.aws("create-alias", "--function-name", "life", "--name", "prod", "--function-version", "1", "--routing-config",
                 "AdditionalVersionWeights={2=0.5}")
        self.assertEqual(self.aws("get-alias", "--function-name", "life", "--name", "prod")["RoutingConfig"],
                         {"AdditionalVersionWeights": {"2": 0.5}})
        self.aws("update-alias", "--function-name", "life", "--name", "prod", "--function-version", "2", "--routing-config",
                 "AdditionalVersionWeights={}")
        self.aws("invoke", "--function-name", "life:prod", out)
        self.assertEqual(out.read_text(), '"new"')
        self.assertEqual(len(self.aws("list-aliases", "--function-name", "life")["Aliases"]), 1)
        self.aws("delete-alias", "--function-name", "life", "--name", "prod")
        self.aws("tag-resource", "--resource", ARN + "life", "--tags", "a=1,b=2")
        self.aws("untag-resource", "--resource", ARN + "life", "--tag-keys", "team", "b")
        self.assertEqual(self.aws("list-tags", "--resource", ARN + "life"), {"Tags": {"a": "1"}})
        self.aws("put-function-concurrency", "--function-name", "life", "--reserved-concurrent-executions", "5")
        self.assertEqual(self.aws("get-function", "--function-name", "life")["Concurrency"], {"ReservedConcurrentExecutions": 5})
        self.aws("delete-function-concurrency", "--function-name", "life")
        self.aws("create-function-url-config", "--function-name", "life", "--auth-type", "NONE")
        self.assertEqual(self.server.get("life").text, "new")
        self.aws("delete-function-url-config", "--function-name", "life")
        self.aws("delete-function", "--function-name", "life", "--qualifier", "1")
        self.aws("delete-function", "--function-name", "life")
        done = self.aws("get-function", "--function-name", "life", check=False)
        self.assertEqual(done.returncode, 254, done)
        self.assertIn(f"An error occurred (ResourceNotFoundException) when calling the GetFunction operation: Function not found: {ARN}life",
                      done.stderr)

    def test_it_pages_by_itself(self):
        names = [f"paged{index:02}" for index in range(53)]
        for name in names:
            self.create(name)
        self.assertEqual([each["FunctionName"] for each in self.aws("list-functions")["Functions"]], names)
        first = self.aws("list-functions", "--max-items", "7")
        self.assertEqual(len(first["Functions"]), 7)
        rest = self.aws("list-functions", "--starting-token", first["NextToken"])
        self.assertEqual([each["FunctionName"] for each in rest["Functions"]], names[7:])
        self.assertEqual(len(self.aws("list-functions", "--page-size", "20")["Functions"]), 53)

    def test_errors(self):
        self.make("there")
        for arguments, words in (
                (["create-function", "--function-name", "there", "--role", ROLE, "--runtime", "python3.11", "--handler", "a.b", "--zip-file",
                  f"fileb://{self.package}"], "(ResourceConflictException) when calling the CreateFunction operation: Function already "
                                              "exist: there"),
                (["update-function-code", "--function-name", "there", "--s3-bucket", "mine", "--s3-key", "k"],
                 "(InvalidParameterValueException) when calling the UpdateFunctionCode operation: this server has no S3: send the code itself"),
                (["add-permission", "--function-name", "there", "--statement-id", "s", "--action", "lambda:*", "--principal", "*"],
                 "resource policies are not supported"),
                (["publish-layer-version", "--layer-name", "l", "--zip-file", f"fileb://{self.package}"], "layers are not supported")):
            done = self.aws(*arguments, check=False)
            self.assertEqual(done.returncode, 254, done)
            self.assertIn(words, done.stderr)
        self.assertEqual(self.aws("invoke", "--function-name", "there", "--invocation-type", "Event", "/dev/null")["StatusCode"], 202)
        done = self.aws("list-functions", check=False, secret="x" * 40)
        self.assertIn("(InvalidSignatureException)", done.stderr)

    def test_the_settings_that_lambda_config_prints(self):
        self.make("printed")
        settings = self.server.cli("config", "aws").stdout
        script = settings + '\naws --endpoint-url "$AWS_ENDPOINT_URL_LAMBDA" lambda list-functions --query "Functions[].FunctionName" --output text\n'
        done = subprocess.run(["/bin/sh", "-ec", script], capture_output=True, text=True, timeout=60, check=False,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(self.server.home), "AWS_SESSION_TOKEN": "left from elsewhere"})
        self.assertEqual((done.returncode, done.stdout), (0, "printed\n"), done.stderr)


if __name__ == "__main__":
    unittest.main()
