"""Invoke by boto3: types, logs, client context, function errors, limits, throttling."""

import base64
import json
import threading
import time
import unittest

from aws_clients import ARN, ROLE, AwsTest, zipped

SLEEPER = """
import os, time
def handler(event, context):
    print("a line of", context.aws_request_id)
    if event.get("print"):
        print("x" * event["print"])
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("exit"):
        os._exit(3)
    if event.get("size"):
        return "y" * event["size"]
    if event.get("fail"):
        raise ValueError("as asked")
    return "done"
"""


class Invoke(AwsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.create_function(**cls.settings("echo"))
        cls.client.create_function(**{**cls.settings("sleeper", SLEEPER), "Timeout": 1})

    @staticmethod
    def settings(name, *source):
        return {"FunctionName": name, "Role": ROLE, "Runtime": "python3.11", "Handler": "app.handler", "Code": {"ZipFile": zipped(*source)}}

    def log_of(self, reply):
        return base64.b64decode(reply["LogResult"]).decode()

    def test_request_and_response(self):
        reply, said = self.invoke("echo", {"ü": [1, 2.5, None, True, "😀"]})
        self.assertEqual((reply["StatusCode"], reply["ExecutedVersion"]), (200, "$LATEST"))
        self.assertEqual(reply["ResponseMetadata"]["HTTPHeaders"]["content-type"], "application/json")
        self.assertEqual((said["event"], said["arn"], said["version"]), ({"ü": [1, 2.5, None, True, "😀"]}, ARN + "echo", "$LATEST"))
        self.assertEqual(said["id"], reply["ResponseMetadata"]["RequestId"])
        for absent in ("FunctionError", "LogResult"):
            self.assertNotIn(absent, reply)
        for event in (None, 3, "text", [], True):
            sent = json.dumps(event)
            self.assertEqual(json.loads(self.client.invoke(FunctionName="echo", Payload=sent)["Payload"].read())["event"], event)

    def test_no_payload_is_an_empty_object(self):
        self.assertEqual(json.loads(self.client.invoke(FunctionName="echo")["Payload"].read())["event"], {})

    def test_the_arn_is_as_it_was_asked_for(self):
        self.assertEqual(self.invoke("echo", Qualifier="$LATEST")[1]["arn"], ARN + "echo:$LATEST")
        self.assertEqual(self.invoke("echo:$LATEST")[1]["arn"], ARN + "echo:$LATEST")

    def test_a_deep_event(self):
        text = "[" * 500 + "]" * 500
        self.assertEqual(json.loads(self.client.invoke(FunctionName="echo", Payload=text)["Payload"].read())["event"], json.loads(text))

    def test_dry_run(self):
        reply = self.client.invoke(FunctionName="echo", InvocationType="DryRun", Payload="{}")
        self.assertEqual((reply["StatusCode"], reply["Payload"].read()), (204, b""))
        self.assert_refused(lambda: self.client.invoke(FunctionName="nobody", InvocationType="DryRun"), 404, "ResourceNotFoundException",
                            "nobody")

    def test_a_type_that_is_none(self):
        reply = self.server.api("POST", "/2015-03-31/functions/echo/invocations", body={}, headers={"X-Amz-Invocation-Type": "Later"})
        self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (400, "ValidationException"))

    def test_the_log_tail(self):
        reply, _ = self.invoke("sleeper", LogType="Tail")
        log, identity = self.log_of(reply), reply["ResponseMetadata"]["RequestId"]
        self.assertRegex(log, rf"(?s)START RequestId: {identity} Version: \$LATEST\n.*a line of {identity}\n.*"
                              rf"END RequestId: {identity}\nREPORT RequestId: {identity}\tDuration: [\d.]+ ms\t"
                              r"Billed Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\t")
        reply, _ = self.invoke("sleeper", {"print": 10000}, LogType="Tail")
        self.assertLessEqual(len(self.log_of(reply)), 4096)
        self.assertIn("REPORT RequestId", self.log_of(reply))
        self.assertNotIn("LogResult", self.invoke("sleeper", LogType="None")[0])

    def test_client_context(self):
        context = base64.b64encode(json.dumps({"custom": {"key": "vaĺue"}, "client": {}, "env": {}}).encode()).decode()
        self.assertEqual(self.invoke("echo", ClientContext=context)[1]["custom"], {"key": "vaĺue"})
        for wrong in ("not base64!", base64.b64encode(b"no json").decode(), base64.b64encode(b'"' + b"x" * 3600 + b'"').decode()):
            self.assert_refused(lambda: self.client.invoke(FunctionName="echo", ClientContext=wrong), 400, "InvalidRequestContentException",
                                "lient context must be")

    def test_function_errors(self):
        reply, said = self.invoke("echo", {"fail": True}, LogType="Tail")
        self.assertEqual((reply["StatusCode"], reply["FunctionError"], reply["ExecutedVersion"]), (200, "Unhandled", "$LATEST"))
        self.assertEqual((said["errorType"], said["errorMessage"], said["requestId"]),
                         ("ValueError", "as asked", reply["ResponseMetadata"]["RequestId"]))
        self.assertIn("app.py", said["stackTrace"][0])
        self.assertIn("ValueError", self.log_of(reply))
        reply, said = self.invoke("sleeper", {"sleep": 5}, LogType="Tail")
        self.assertEqual((reply["FunctionError"], said["errorType"]), ("Unhandled", "Sandbox.Timedout"))
        self.assertIn("Task timed out after 1.00 seconds", said["errorMessage"])
        self.assertIn("Task timed out after 1.00 seconds", self.log_of(reply))
        reply, said = self.invoke("sleeper", {"exit": True})
        self.assertEqual((reply["FunctionError"], said["errorType"]), ("Unhandled", "Runtime.ExitError"))
        self.assertIn("Runtime exited with error: exit status 3", said["errorMessage"])
        reply, said = self.invoke("sleeper", {"size": 6291557})
        self.assertEqual((reply["FunctionError"], said["errorType"]), ("Unhandled", "Function.ResponseSizeTooLarge"))
        self.assertIn("(6291556 bytes)", said["errorMessage"])
        self.assertEqual(self.invoke("sleeper")[1], "done")

    def test_an_error_in_words_of_the_runtime_s_own(self):
        # A runtime may report what is no JSON: it is passed on as it is, and not called JSON.
        code = ("import os, urllib.request\ndef handler(event, context):\n"
                "    url = f\"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/{context.aws_request_id}/error\"\n"
                "    urllib.request.urlopen(urllib.request.Request(url, event['words'].encode(), method='POST'))\n    os._exit(0)\n")
        self.client.create_function(**self.settings("wordy", code))
        for words, kind in (("no more cheese", "application/octet-stream"), ('{"errorMessage": "no more cheese"}', "application/json")):
            reply = self.client.invoke(FunctionName="wordy", Payload=json.dumps({"words": words}))
            self.assertEqual((reply["FunctionError"], reply["Payload"].read().decode()), ("Unhandled", words))
            self.assertEqual(reply["ResponseMetadata"]["HTTPHeaders"]["content-type"], kind)

    def test_a_handler_that_is_not_there(self):
        self.client.create_function(**{**self.settings("wronghandler"), "Handler": "app.nothing"})
        reply, said = self.invoke("wronghandler")
        self.assertEqual((reply["StatusCode"], reply["FunctionError"], said["errorType"]), (200, "Unhandled", "Runtime.HandlerNotFound"))

    def test_limits_of_the_payload(self):
        most = json.dumps("x" * (6291456 - 2))
        self.assertEqual(len(json.loads(self.client.invoke(FunctionName="sleeper", Payload='{"size": 6291554}')["Payload"].read())), 6291554)
        refused = self.client.invoke(FunctionName="echo", Payload=most)  # the answer is too large, the event is not
        self.assertEqual(json.loads(refused["Payload"].read())["errorType"], "Function.ResponseSizeTooLarge")
        message = "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"
        self.assert_refused(lambda: self.client.invoke(FunctionName="echo", Payload=most + " "), 413, "RequestTooLargeException", message)
        reply = self.server.api("POST", "/2015-03-31/functions/echo/invocations", body=(most + " ").encode())
        self.assertEqual((reply.status, reply.json()["message"]), (413, message))
        for wrong in ("{", "{'a': 1}", "nothing", '{"a": 1} x', "\ufeff{}"):
            self.assert_refused(lambda: self.client.invoke(FunctionName="echo", Payload=wrong), 400, "InvalidRequestContentException",
                                "Could not parse request body into json: ")

    def test_reserved_concurrency(self):
        c = self.client
        self.assertEqual(c.put_function_concurrency(FunctionName="sleeper", ReservedConcurrentExecutions=0)["ReservedConcurrentExecutions"], 0)
        self.addCleanup(c.delete_function_concurrency, FunctionName="sleeper")
        with self.assertRaises(c.exceptions.TooManyRequestsException) as caught:
            c.invoke(FunctionName="sleeper")
        response = caught.exception.response
        self.assertEqual((response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"], response["Reason"]),
                         (429, "Rate Exceeded.", "ReservedFunctionConcurrentInvocationLimitExceeded"))
        c.put_function_concurrency(FunctionName="sleeper", ReservedConcurrentExecutions=1)
        self.assertEqual(c.get_function(FunctionName="sleeper")["Concurrency"], {"ReservedConcurrentExecutions": 1})
        self.invoke("sleeper")
        other = self.server.boto()

        def occupy():
            while True:
                try:
                    return other.invoke(FunctionName="sleeper", Payload='{"sleep": 2}')["Payload"].read()
                except c.exceptions.TooManyRequestsException:
                    time.sleep(0.2)  # a call of the loop below was there first
        slow = threading.Thread(target=occupy)
        slow.start()
        throttled = 0
        while slow.is_alive() and not throttled:
            try:
                self.invoke("sleeper")
            except c.exceptions.TooManyRequestsException:
                throttled += 1
            time.sleep(0.05)
        slow.join()
        self.assertEqual(throttled, 1)
        self.assertEqual(self.invoke("sleeper")[1], "done")
        for number in (901, 5000):
            self.assert_refused(lambda: c.put_function_concurrency(FunctionName="sleeper", ReservedConcurrentExecutions=number), 400,
                                "InvalidParameterValueException", "Specified ReservedConcurrentExecutions for function decreases account's "
                                "UnreservedConcurrentExecution below its minimum value of [100].")
        self.assertEqual(c.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"], 999)
        self.assert_refused(lambda: c.put_function_concurrency(FunctionName="sleeper:1",
                                                               ReservedConcurrentExecutions=1), 400, "InvalidParameterValueException",
                            "This operation is permitted on Lambda functions only.")
        c.delete_function_concurrency(FunctionName="sleeper")
        self.assertNotIn("ReservedConcurrentExecutions", c.get_function_concurrency(FunctionName="sleeper"))


class Urls(AwsTest):
    def test_a_url_is_opened_and_closed(self):
        c = self.client
        self.create("site")
        closed = self.server.get("site")
        self.assertEqual(closed.status, 403)
        self.assertIn("lambda url site open", closed.text)
        missing = "The resource you requested does not exist."
        for call in (c.get_function_url_config, c.delete_function_url_config, c.update_function_url_config):
            self.assert_refused(lambda: call(FunctionName="site"), 404, "ResourceNotFoundException", missing)
        made = c.create_function_url_config(FunctionName="site", AuthType="NONE",
                                            Cors={"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 60})
        self.assertEqual((made["FunctionUrl"], made["FunctionArn"], made["AuthType"]),
                         (f"http://site.localhost:{self.server.port}/", ARN + "site", "NONE"))
        self.assertEqual(made["Cors"], {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 60})
        self.assertRegex(made["CreationTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
        reply = self.server.get("site", headers={"Origin": "https://a.example"})
        self.assertEqual((reply.status, reply.headers["access-control-allow-origin"]), (200, "https://a.example"))
        self.assert_refused(lambda: c.create_function_url_config(FunctionName="site", AuthType="NONE"), 409, "ResourceConflictException",
                            "FunctionUrlConfig exists for this Lambda function")
        c.update_function_url_config(FunctionName="site", AuthType="AWS_IAM")
        self.assertEqual(self.server.get("site").status, 403)
        self.assertEqual(c.list_function_url_configs(FunctionName="site")["FunctionUrlConfigs"][0]["AuthType"], "AWS_IAM")
        self.assert_refused(lambda: c.update_function_url_config(FunctionName="site", AuthType="OPEN"), 400, "ValidationException",
                            "Value 'OPEN' at 'authType'")
        self.assert_refused(lambda: c.update_function_url_config(FunctionName="site", Cors={"MaxAge": 100000}), 400, "ValidationException",
                            "'cors.maxAge'")
        self.assertEqual(c.delete_function_url_config(FunctionName="site")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.server.get("site").status, 403)


if __name__ == "__main__":
    unittest.main()
