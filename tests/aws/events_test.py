"""Asynchronous invocation and its configuration, by boto3 and the AWS CLI."""

import base64
import datetime
import json
import time
import unittest

from aws_clients import ARN, AwsTest

NOTHING = "You must specify at least one of error handling or destination setting."


class Events(AwsTest):
    flags = ("--retry-delay", "1")

    def ended(self, identity, wait=30):
        """The event, once it has ended, and its result: what AWS has no operation for."""
        deadline = time.monotonic() + wait
        while (event := self.server.api("GET", f"/_lambda/events/{identity}").json())["state"] not in ("succeeded", "dead"):
            self.assertLess(time.monotonic(), deadline, event)
            time.sleep(0.05)
        return event, self.server.api("GET", f"/_lambda/events/{identity}/result").json()

    def send(self, name, event=None, **more):
        payload = {} if event is None else {"Payload": json.dumps(event)}
        return self.client.invoke(FunctionName=name, InvocationType="Event", **payload, **more)

    def test_event(self):
        self.create("echo")
        context = base64.b64encode(b'{"custom": {"key": "v"}}').decode()
        reply = self.send("echo", {"a": "\u00fc"}, ClientContext=context)
        self.assertEqual((reply["StatusCode"], reply["Payload"].read()), (202, b""))
        for absent in ("FunctionError", "LogResult", "ExecutedVersion"):
            self.assertNotIn(absent, reply)
        event, said = self.ended(reply["ResponseMetadata"]["RequestId"])
        self.assertEqual((event["state"], event["executedVersion"]), ("succeeded", "$LATEST"))
        self.assertEqual((said["event"], said["id"], said["custom"], said["version"]),
                         ({"a": "\u00fc"}, reply["ResponseMetadata"]["RequestId"], {"key": "v"}, "$LATEST"))
        self.assertEqual(self.ended(self.send("echo")["ResponseMetadata"]["RequestId"])[1]["event"], {})

    def test_qualifiers(self):
        self.create("many")
        self.client.publish_version(FunctionName="many")
        self.client.create_alias(FunctionName="many", Name="prod", FunctionVersion="1")
        for name, more, version, arn in (("many", {"Qualifier": "1"}, "1", ":1"), ("many:prod", {}, "1", ":prod"), (ARN + "many", {}, "$LATEST", ":$LATEST"),
                                         ("many", {"Qualifier": "$LATEST"}, "$LATEST", ":$LATEST")):
            _, said = self.ended(self.send(name, **more)["ResponseMetadata"]["RequestId"])
            self.assertEqual((said["version"], said["arn"]), (version, ARN + "many" + arn))

    def test_a_function_error_is_no_error_of_the_call(self):
        self.create("fails")
        self.client.put_function_event_invoke_config(FunctionName="fails", MaximumRetryAttempts=1)
        reply = self.send("fails", {"fail": True})
        self.assertEqual(reply["StatusCode"], 202)
        event, said = self.ended(reply["ResponseMetadata"]["RequestId"])
        self.assertEqual((event["state"], event["failedAttempts"], said["errorMessage"], said["errorType"]), ("dead", 2, "as asked", "ValueError"))

    def test_the_old_operation(self):
        self.create("old")
        reply = self.client.invoke_async(FunctionName="old", InvokeArgs='{"b": 1}')
        self.assertEqual(reply["Status"], 202)
        self.assertEqual(self.ended(reply["ResponseMetadata"]["RequestId"])[1]["event"], {"b": 1})
        self.assert_refused(lambda: self.client.invoke_async(FunctionName="nobody", InvokeArgs="{}"), 404, "ResourceNotFoundException", "nobody")
        self.assert_refused(lambda: self.client.invoke_async(FunctionName="old", InvokeArgs="{"), 400, "InvalidRequestContentException",
                            "Could not parse request body into json: ")

    def test_refusals(self):
        self.create("door")
        self.assert_refused(lambda: self.send("nobody"), 404, "ResourceNotFoundException", f"Function not found: {ARN}nobody:$LATEST")
        self.assert_refused(lambda: self.send("door", Qualifier="9"), 404, "ResourceNotFoundException", f"Function not found: {ARN}door:9")
        most = '"' + "x" * (1_048_576 - 2) + '"'
        self.assertEqual(self.client.invoke(FunctionName="door", InvocationType="Event", Payload=most)["StatusCode"], 202)
        self.assert_refused(lambda: self.client.invoke(FunctionName="door", InvocationType="Event", Payload=most + " "), 413, "RequestTooLargeException",
                            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)")
        self.assert_refused(lambda: self.client.invoke(FunctionName="door", InvocationType="Event", Payload="{"), 400,
                            "InvalidRequestContentException", "Could not parse request body into json: ")
        self.assert_refused(lambda: self.send("door", ClientContext="not base64!"), 400, "InvalidRequestContentException", "lient context must be")
        self.client.put_function_concurrency(FunctionName="door", ReservedConcurrentExecutions=0)
        self.assertEqual(self.send("door")["StatusCode"], 202, "throttling is the queue's matter, not the caller's")

    # --- EventInvokeConfig

    def test_a_configurations_life(self):
        c = self.client
        self.create("set")
        missing = f"The function {ARN}set:$LATEST doesn't have an EventInvokeConfig"
        for call in (lambda: c.get_function_event_invoke_config(FunctionName="set"), lambda: c.delete_function_event_invoke_config(FunctionName="set"),
                     lambda: c.update_function_event_invoke_config(FunctionName="set", MaximumRetryAttempts=1)):
            self.assertIn(missing, self.assert_refused(call, 404, "ResourceNotFoundException", "EventInvokeConfig"))
        self.assertEqual(c.list_function_event_invoke_configs(FunctionName="set")["FunctionEventInvokeConfigs"], [])
        made = c.put_function_event_invoke_config(FunctionName="set", MaximumRetryAttempts=1)
        self.assertEqual((made["FunctionArn"], made["MaximumRetryAttempts"], made["DestinationConfig"]),
                         (ARN + "set:$LATEST", 1, {"OnSuccess": {}, "OnFailure": {}}))
        self.assertNotIn("MaximumEventAgeInSeconds", made)
        self.assertLess(abs(made["LastModified"] - datetime.datetime.now(datetime.timezone.utc)), datetime.timedelta(seconds=30))
        merged = c.update_function_event_invoke_config(FunctionName="set", MaximumEventAgeInSeconds=60)
        self.assertEqual((merged["MaximumRetryAttempts"], merged["MaximumEventAgeInSeconds"]), (1, 60))
        self.assertEqual({name: value for name, value in c.get_function_event_invoke_config(FunctionName="set").items() if name != "ResponseMetadata"},
                         {name: value for name, value in merged.items() if name != "ResponseMetadata"})
        replaced = c.put_function_event_invoke_config(FunctionName="set", MaximumEventAgeInSeconds=21600)
        self.assertNotIn("MaximumRetryAttempts", replaced)
        self.assertEqual(c.delete_function_event_invoke_config(FunctionName="set")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assert_refused(lambda: c.get_function_event_invoke_config(FunctionName="set"), 404, "ResourceNotFoundException", missing)

    def test_one_for_each_qualifier(self):
        c = self.client
        self.create("versions")
        c.publish_version(FunctionName="versions")
        c.create_alias(FunctionName="versions", Name="prod", FunctionVersion="1")
        for number, qualifier in enumerate(("$LATEST", "1", "prod")):
            c.put_function_event_invoke_config(FunctionName="versions", Qualifier=qualifier, MaximumRetryAttempts=number)
        listed = c.list_function_event_invoke_configs(FunctionName="versions")["FunctionEventInvokeConfigs"]
        self.assertEqual({each["FunctionArn"]: each["MaximumRetryAttempts"] for each in listed},
                         {f"{ARN}versions:$LATEST": 0, f"{ARN}versions:1": 1, f"{ARN}versions:prod": 2})
        self.assertEqual(c.get_function_event_invoke_config(FunctionName=ARN + "versions:prod")["MaximumRetryAttempts"], 2)
        first = c.list_function_event_invoke_configs(FunctionName="versions", MaxItems=2)
        rest = c.list_function_event_invoke_configs(FunctionName="versions", MaxItems=2, Marker=first["NextMarker"])
        self.assertEqual(first["FunctionEventInvokeConfigs"] + rest["FunctionEventInvokeConfigs"], listed)
        self.assertNotIn("NextMarker", rest)
        # With an alias, a version, a function its configuration is gone.
        c.delete_alias(FunctionName="versions", Name="prod")
        c.create_alias(FunctionName="versions", Name="prod", FunctionVersion="1")
        self.assert_refused(lambda: c.get_function_event_invoke_config(FunctionName="versions", Qualifier="prod"), 404, "ResourceNotFoundException",
                            "doesn't have an EventInvokeConfig")
        c.delete_function(FunctionName="versions")
        self.create("versions")
        self.assertEqual(c.list_function_event_invoke_configs(FunctionName="versions")["FunctionEventInvokeConfigs"], [])

    def test_what_a_configuration_must_not_say(self):
        c = self.blunt
        self.create("strict")
        self.assert_refused(lambda: c.put_function_event_invoke_config(FunctionName="strict"), 400, "InvalidParameterValueException", NOTHING)
        for name, wrong in (("MaximumRetryAttempts", -1), ("MaximumRetryAttempts", 3), ("MaximumEventAgeInSeconds", 59), ("MaximumEventAgeInSeconds", 21601)):
            self.assert_refused(lambda: c.put_function_event_invoke_config(FunctionName="strict", **{name: wrong}), 400, "ValidationException",
                                f"'{name[0].lower()}{name[1:]}'")
        for qualifier in ("7", "nothing"):
            self.assert_refused(lambda: c.put_function_event_invoke_config(FunctionName="strict", Qualifier=qualifier, MaximumRetryAttempts=1), 404,
                                "ResourceNotFoundException", f"Function not found: {ARN}strict:{qualifier}")
        self.assert_refused(lambda: c.list_function_event_invoke_configs(FunctionName="nobody"), 404, "ResourceNotFoundException", "nobody")

        def to(address, side="OnFailure"):
            return lambda: c.put_function_event_invoke_config(FunctionName="strict", DestinationConfig={side: {"Destination": address}})
        self.assert_refused(to(ARN + "strict"), 400, "InvalidParameterValueException", "You can't specify the function as a destination for itself.")
        self.assert_refused(to(ARN + "nobody"), 400, "InvalidParameterValueException", "there is no such function")
        self.assert_refused(to("arn:aws:sqs:us-east-1:000000000000:queue"), 400, "InvalidParameterValueException", "can be a function of this server")
        self.assertEqual(self.client.list_function_event_invoke_configs(FunctionName="strict")["FunctionEventInvokeConfigs"], [])

    def test_destinations(self):
        """The record of what came of an event is an event of another function, in AWS's shape."""
        c = self.client
        self.create("source")
        self.create("target", "import json\ndef handler(event, context):\n    print('RECORD ' + json.dumps(event))\n    return event\n")
        made = c.put_function_event_invoke_config(FunctionName="source", MaximumRetryAttempts=0, DestinationConfig={
            "OnSuccess": {"Destination": ARN + "target"}, "OnFailure": {"Destination": ARN + "target"}})
        self.assertEqual(made["DestinationConfig"]["OnSuccess"], {"Destination": ARN + "target"})
        good, bad = (self.send("source", event)["ResponseMetadata"]["RequestId"] for event in ({"a": 1}, {"fail": True}))
        records = self.records({good, bad})
        record = records[good]
        self.assertRegex(record["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual((record["version"], record["requestContext"], record["requestPayload"], record["responseContext"]),
                         ("1.0", {"requestId": good, "functionArn": ARN + "source:$LATEST", "condition": "Success", "approximateInvokeCount": 1}, {"a": 1},
                          {"statusCode": 200, "executedVersion": "$LATEST"}))
        self.assertEqual(record["responsePayload"]["event"], {"a": 1})
        record = records[bad]
        self.assertEqual((record["requestContext"]["condition"], record["responseContext"]),
                         ("RetriesExhausted", {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}))
        self.assertEqual(record["responsePayload"]["errorMessage"], "as asked")

    def records(self, wanted, wait=30):
        deadline = time.monotonic() + wait
        while True:
            ended = self.server.api("GET", "/_lambda/functions/target/events?state=succeeded").json()["events"]
            results = [self.server.api("GET", f"/_lambda/events/{each['id']}/result").json() for each in ended]
            found = {each["requestContext"]["requestId"]: each for each in results}
            if wanted <= set(found):
                return found
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.1)

    # --- the AWS CLI

    def test_the_command_line(self):
        self.create("cli")
        out = self.server.home / "out.json"
        said = self.aws("invoke", "--function-name", "cli", "--invocation-type", "Event", "--payload", '{"a": 1}',
                        "--cli-binary-format", "raw-in-base64-out", out)
        self.assertEqual((said, out.read_bytes()), ({"StatusCode": 202}, b""))
        arguments = self.server.home / "arguments.json"
        arguments.write_text('{"b": 2}')
        self.assertEqual(self.aws("invoke-async", "--function-name", "cli", "--invoke-args", arguments), {"Status": 202})
        made = self.aws("put-function-event-invoke-config", "--function-name", "cli", "--maximum-retry-attempts", "0", "--maximum-event-age-in-seconds", "300")
        self.assertEqual((made["MaximumRetryAttempts"], made["MaximumEventAgeInSeconds"], made["FunctionArn"]), (0, 300, ARN + "cli:$LATEST"))
        changed = self.aws("update-function-event-invoke-config", "--function-name", "cli", "--maximum-retry-attempts", "2")
        self.assertEqual((changed["MaximumRetryAttempts"], changed["MaximumEventAgeInSeconds"]), (2, 300))
        self.assertEqual(self.aws("get-function-event-invoke-config", "--function-name", "cli"), changed)
        self.assertEqual(self.aws("list-function-event-invoke-configs", "--function-name", "cli"), {"FunctionEventInvokeConfigs": [changed]})
        self.aws("delete-function-event-invoke-config", "--function-name", "cli")
        done = self.aws("get-function-event-invoke-config", "--function-name", "cli", check=False)
        self.assertEqual(done.returncode, 254)
        self.assertIn("(ResourceNotFoundException)", done.stderr)
        done = self.aws("put-function-event-invoke-config", "--function-name", "cli", check=False)
        self.assertIn(NOTHING, done.stderr)


if __name__ == "__main__":
    unittest.main()
