"""Settings that change behaviour: each is enforced, refused by name, or (AWS's own list of fields for its cloud) kept and shown."""

import unittest

from aws_clients import ROLE, AwsTest, zipped

LOOK = """
import os, shutil
def handler(event, context):
    return {"tmp": shutil.disk_usage("/tmp").total, "memory": context.memory_limit_in_mb, "left": context.get_remaining_time_in_millis(),
            "handler": os.environ["_HANDLER"]}
def other(event, context):
    return "other"
"""


class Settings(AwsTest):
    def read(self, name):
        """What the API shows, as JSON: botocore leaves out what its model does not know."""
        return self.server.api("GET", f"/2015-03-31/functions/{name}/configuration").json()

    def test_enforced(self):
        self.create("enforced", LOOK, MemorySize=256, Timeout=7, EphemeralStorage={"Size": 600})
        _, seen = self.invoke("enforced")
        self.assertAlmostEqual(seen["tmp"], 600 * 1024 * 1024, delta=30 * 1024 * 1024)
        self.assertEqual(int(seen["memory"]), 256)
        self.assertTrue(5000 < seen["left"] <= 7000, seen)
        self.client.update_function_configuration(FunctionName="enforced", EphemeralStorage={"Size": 512}, Handler="app.other")
        self.assertEqual(self.invoke("enforced")[1], "other")
        for size in (511, 10241):
            self.assert_refused(lambda: self.blunt.update_function_configuration(FunctionName="enforced", EphemeralStorage={"Size": size}),
                                400, "ValidationException", "'ephemeralStorage.size'")
        self.create("defaults", LOOK)
        self.assertAlmostEqual(self.invoke("defaults")[1]["tmp"], 512 * 1024 * 1024, delta=30 * 1024 * 1024)

    def test_memory_is_enforced(self):
        self.create("hungry", "def handler(event, context):\n    return len(bytearray(event['size']))\n", Timeout=20)
        self.assertEqual(self.invoke("hungry", {"size": 20 << 20})[1], 20 << 20)
        reply, said = self.invoke("hungry", {"size": 400 << 20})
        self.assertEqual((reply.get("FunctionError"), said["errorType"]), ("Unhandled", "Runtime.OutOfMemory"))

    def test_refused_by_name(self):
        c, invalid = self.client, "InvalidParameterValueException"
        self.create("plain")
        mount = {"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0", "LocalMountPath": "/mnt/a"}
        layer = "arn:aws:lambda:us-east-1:000000000000:layer:mine:1"
        for settings, words in (({"Layers": [layer]}, "Layers: layers are not supported: put their files into the function's package"),
                                ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}}, "DeadLetterConfig: "),
                                ({"FileSystemConfigs": [mount]}, "FileSystemConfigs: "),
                                ({"ImageConfig": {"Command": ["a"]}}, "ImageConfig can only be set for functions of PackageType Image.")):
            with self.subTest(settings=settings):
                self.assert_refused(lambda: c.create_function(FunctionName="no", Role=ROLE, Runtime="python3.11", Handler="app.handler",
                                                              Code={"ZipFile": zipped()}, **settings), 400, invalid, words)
                self.assert_refused(lambda: c.update_function_configuration(FunctionName="plain", **settings), 400, invalid, words)
        self.assert_refused(lambda: c.create_function(FunctionName="no", Role=ROLE, Runtime="python3.11", Handler="app.handler",
                                                      Code={"ZipFile": zipped()}, Architectures=["arm64"]), 400, invalid,
                            'this server runs x86_64 only, and "arm64" was asked for')
        self.assert_refused(lambda: c.update_function_code(FunctionName="plain", ZipFile=zipped(), Architectures=["arm64"]), 400, invalid,
                            "arm64")
        self.assert_refused(lambda: c.update_function_code(FunctionName="plain", ZipFile=zipped(), Architectures=["arm64"], DryRun=True),
                            400, invalid, "arm64")
        self.assert_refused(lambda: c.create_function(FunctionName="no", Role=ROLE, Runtime="python3.11", Handler="app.handler",
                                                      Code={"ZipFile": zipped()},
                                                      CodeSigningConfigArn="arn:aws:lambda:us-east-1:000000000000:code-signing-config:"
                                                                           "csc-0123456789abcdef0"), 400, invalid, "code signing")
        # What this boto3 does not know yet.
        for body, words in (({"LoggingConfig": {"LogFormat": "JSON"}}, "LogFormat JSON"),
                            ({"LoggingConfig": {"LogGroup": "mine"}}, "LogGroup mine"),
                            ({"LoggingConfig": {"SystemLogLevel": "DEBUG"}}, "SystemLogLevel"),
                            ({"DurableConfig": {"ExecutionTimeout": 5}}, "DurableConfig"),
                            ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "TenancyConfig"),
                            ({"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {"A": "b"}}}, "CapacityProvider")):
            with self.subTest(body=body):
                reply = self.server.api("PUT", "/2015-03-31/functions/plain/configuration", body=body)
                self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (400, invalid), reply)
                self.assertIn(words, reply.json()["message"])
        self.assertNotIn("no", [each["FunctionName"] for each in c.list_functions()["Functions"]])

    def test_empty_ones_are_passed_over(self):
        self.create("empty", Layers=[], DeadLetterConfig={"TargetArn": ""}, FileSystemConfigs=[])
        self.client.update_function_configuration(FunctionName="empty", Layers=[], DeadLetterConfig={}, FileSystemConfigs=[])
        for absent in ("Layers", "DeadLetterConfig", "FileSystemConfigs"):
            self.assertNotIn(absent, self.read("empty"))

    def test_kept_and_shown(self):
        key = "arn:aws:kms:us-east-1:000000000000:key/1"
        self.create("kept", VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}, KMSKeyArn=key,
                    TracingConfig={"Mode": "Active"}, SnapStart={"ApplyOn": "PublishedVersions"})
        shown = self.read("kept")
        self.assertEqual(shown["VpcConfig"], {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": ""})
        self.assertEqual((shown["KMSKeyArn"], shown["TracingConfig"]), (key, {"Mode": "Active"}))
        self.assertEqual(shown["SnapStart"], {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"})
        self.assertEqual(shown["LoggingConfig"], {"LogFormat": "Text", "LogGroup": "/aws/lambda/kept"})
        self.client.update_function_configuration(FunctionName="kept", KMSKeyArn="", TracingConfig={"Mode": "PassThrough"},
                                                  VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
        shown = self.read("kept")
        self.assertNotIn("KMSKeyArn", shown)
        self.assertEqual((shown["TracingConfig"], shown["VpcConfig"]["SubnetIds"]), ({"Mode": "PassThrough"}, []))
        self.assertEqual(shown["SnapStart"]["ApplyOn"], "PublishedVersions")
        self.assert_refused(lambda: self.client.update_function_configuration(FunctionName="kept", TracingConfig={"Mode": "On"}), 400,
                            "ValidationException", "Value 'On' at 'tracingConfig.mode'")
        self.assertEqual(self.invoke("kept")[0]["StatusCode"], 200)


if __name__ == "__main__":
    unittest.main()
