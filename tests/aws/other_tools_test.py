"""The calls of tools that are not here themselves, in their order and their spelling: node-lambda (SDK version 2) and Terraform."""

import base64
import hashlib
import json
import unittest

from aws_clients import ROLE, AwsTest, zipped


class OtherTools(AwsTest):
    def call(self, method, path, body=None, status=200):
        """As SDK version 2 signs: the body's hash in a header, a slash at the end of some paths."""
        text = None if body is None else json.dumps(body)
        declared = hashlib.sha256((text or "").encode()).hexdigest()
        reply = self.signed(method, path, body=text, headers={"X-Amz-Content-Sha256": declared})
        self.assertEqual(reply.status, status, reply)
        return reply.json() if reply.body else None

    def settings(self, name, package):
        return {"FunctionName": name, "Role": ROLE, "Runtime": "python3.11", "Handler": "app.handler", "Timeout": 60, "MemorySize": 128,
                "Code": {"ZipFile": base64.b64encode(package).decode()}, "Description": "", "Publish": False,
                "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "Environment": {"Variables": {}}, "KMSKeyArn": "",
                "DeadLetterConfig": {"TargetArn": None}, "TracingConfig": {"Mode": "PassThrough"}, "Layers": [], "EphemeralStorage": {"Size": 512}}

    def test_node_lambda_deploy(self):
        package = zipped()
        self.call("GET", "/2015-03-31/functions/nl", status=404)
        self.call("POST", "/2015-03-31/functions", self.settings("nl", package), status=201)
        # The second time it updates.
        self.call("GET", "/2015-03-31/functions/nl")
        self.assertEqual(self.call("GET", "/2015-03-31/event-source-mappings/?FunctionName=nl"), {"EventSourceMappings": []})
        settings = self.settings("nl", package)
        for name in ("FunctionName", "Code", "Publish"):
            del settings[name]
        self.call("PUT", "/2015-03-31/functions/nl/configuration", {**settings, "Timeout": 61})
        self.assertEqual(self.call("GET", "/2015-03-31/functions/nl")["Configuration"]["LastUpdateStatus"], "Successful")
        new = zipped("def handler(event, context): return 'new'\n")
        code = self.call("PUT", "/2015-03-31/functions/nl/code", {"FunctionName": "nl", "ZipFile": base64.b64encode(new).decode(), "Publish": False})
        self.assertEqual(code["Timeout"], 61)
        self.assertEqual(self.invoke("nl")[1], "new")

    def test_terraform(self):
        package = zipped()
        made = self.call("POST", "/2015-03-31/functions", {**self.settings("tf", package), "Publish": True}, status=201)
        self.assertEqual(made["CodeSha256"], base64.b64encode(hashlib.sha256(package).digest()).decode())
        read = self.call("GET", "/2015-03-31/functions/tf")
        self.assertEqual((read["Configuration"]["State"], read["Configuration"]["LastUpdateStatus"]), ("Active", "Successful"))
        self.assertEqual([each["Version"] for each in self.call("GET", "/2015-03-31/functions/tf/versions?MaxItems=10000")["Versions"]],
                         ["$LATEST", "1"])
        self.assertEqual(self.call("GET", "/2020-06-30/functions/tf/code-signing-config"), {"FunctionName": "tf"})
        for path in ("/2015-03-31/functions/tf/policy", "/2021-10-31/functions/tf/url"):
            self.assertEqual(self.call("GET", path, status=404)["Message"], "The resource you requested does not exist.")
        self.call("DELETE", "/2015-03-31/functions/tf", status=204)
        self.call("GET", "/2015-03-31/functions/tf", status=404)


if __name__ == "__main__":
    unittest.main()
