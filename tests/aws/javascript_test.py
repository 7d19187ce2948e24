"""@aws-sdk/client-lambda for JavaScript, unmodified: a function's life, its errors as the client's own classes, waiters, paging."""

import unittest

from aws_clients import ARN, zipped
from javascript_sdk import JavaScriptTest


class JavaScript(JavaScriptTest):
    maxDiff = None

    def test_a_functions_life(self):
        first, second = self.server.home / "first.zip", self.server.home / "second.zip"
        first.write_bytes(zipped())
        second.write_bytes(zipped("def handler(event, context): return 'second'\n"))
        self.create("another")
        seen = self.script("function_life.mjs", str(first), str(second))

        def assert_error(step, name, status, words, fault="client"):
            got = seen[step]
            self.assertEqual((got["name"], got["status"], got["fault"], got["known"]), (name, status, fault, True), got)
            self.assertIn(words, got["message"])

        assert_error("missing", "ResourceNotFoundException", 404, f"Function not found: {ARN}jslife")
        assert_error("again", "ResourceConflictException", 409, "Function already exist: jslife")
        self.assertEqual(seen["event"], 202)
        assert_error("notJson", "InvalidRequestContentException", 400, "Could not parse request body into json")
        assert_error("stream", "InvalidParameterValueException", 400, "response streaming is not supported")
        assert_error("stale", "PreconditionFailedException", 412, "Revision Id")
        assert_error("inUse", "ResourceConflictException", 409, "[prod]")
        self.assertEqual((seen["created"]["FunctionArn"], seen["created"]["Version"]), (ARN + "jslife:1", "1"))
        self.assertEqual(seen["waiters"], ["SUCCESS"] * 6)
        invoked = seen["invoked"]
        self.assertEqual((invoked["status"], invoked["version"], invoked["payload"]["event"], invoked["payload"]["word"]),
                         (200, "$LATEST", {"ü": 1}, "js"))
        self.assertEqual(invoked["payload"]["custom"], {"k": "v"})
        self.assertIn("REPORT RequestId: ", invoked["log"])
        failed = seen["failed"]
        self.assertEqual((failed["status"], failed["error"], failed["version"], failed["payload"]["errorMessage"]),
                         (200, "Unhandled", "1", "as asked"))
        self.assertEqual(seen["dryRun"], 204)
        self.assertEqual((seen["updated"]["Version"], seen["configured"]["Timeout"], seen["published"]["Version"]), ("2", 9, "3"))
        self.assertEqual(seen["alias"]["RoutingConfig"], {"AdditionalVersionWeights": {"3": 0.5}})
        self.assertEqual(seen["byAlias"], '"second"')
        self.assertEqual(seen["versions"], [["$LATEST", "1"], ["2", "3"]])
        self.assertEqual(seen["functions"], ["another", "jslife"])
        self.assertTrue(seen["download"])
        self.assertEqual(seen["tags"], {"a": "b", "c d": "é"})
        self.assertEqual((seen["recursion"], seen["runtime"]), ("Allow", "Auto"))
        self.assertEqual(seen["logging"], {"LogFormat": "Text", "LogGroup": "/aws/lambda/jslife"})
        self.assertEqual(seen["deleted"], 204)
        self.assertEqual(seen["stranger"]["name"], "UnrecognizedClientException")


if __name__ == "__main__":
    unittest.main()
