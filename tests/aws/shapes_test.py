"""Every JSON reply that boto3 gets, over all operations, has the shape of botocore's model; and the check itself finds what is wrong."""

import unittest

from aws_clients import ARN, AwsTest, zipped
from operations_table import table
from shapes import faults_of, faults_of_reply


class Shapes(AwsTest):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.faults, cls.checked = [], set()
        cls.client.meta.events.register("after-call.lambda", cls.look)

    @classmethod
    def look(cls, model, http_response, **_):
        if http_response.status_code >= 300:
            return
        body = b"" if model.has_streaming_output else http_response.content
        headers = {name.lower(): value for name, value in http_response.headers.items()}
        cls.checked.add(model.name)
        cls.faults += faults_of_reply(model, http_response.status_code, headers, body)

    def test_every_operation(self):
        c, name = self.client, {"FunctionName": "shapes"}
        self.create("shapes", Description="first", Timeout=7, MemorySize=256, Publish=True, Environment={"Variables": {"WORD": "a"}},
                    Tags={"team": "x"}, VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
                    KMSKeyArn="arn:aws:kms:us-east-1:000000000000:key/1", TracingConfig={"Mode": "Active"},
                    SnapStart={"ApplyOn": "PublishedVersions"}, EphemeralStorage={"Size": 1024}, Architectures=["x86_64"])
        self.create("bare")
        c.update_function_code(**name, ZipFile=zipped("def handler(event, context): return 2\n"), DryRun=True)
        c.update_function_code(**name, ZipFile=zipped("def handler(event, context): return 2\n"), Publish=True)
        c.update_function_configuration(**name, Description="second", Environment={"Variables": {}})
        c.publish_version(**name, Description="third")
        for qualifier in ({}, {"Qualifier": "$LATEST"}, {"Qualifier": "2"}):
            c.get_function(**name, **qualifier)
            c.get_function_configuration(**name, **qualifier)
            c.invoke(**name, **qualifier, LogType="Tail")["Payload"].read()
        c.invoke(**name, InvocationType="DryRun")
        c.invoke(**name, InvocationType="Event", Payload=b"{}")
        c.invoke_async(**name, InvokeArgs=b"{}")
        c.list_functions(MaxItems=1)
        c.list_functions(FunctionVersion="ALL")
        c.list_versions_by_function(**name, MaxItems=2)
        c.create_alias(**name, Name="prod", FunctionVersion="1", Description="d", RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}})
        c.get_alias(**name, Name="prod")
        c.update_alias(**name, Name="prod", RoutingConfig={"AdditionalVersionWeights": {}})
        c.create_alias(**name, Name="draft", FunctionVersion="$LATEST")
        c.list_aliases(**name)
        c.list_aliases(**name, FunctionVersion="1", MaxItems=1)
        c.delete_alias(**name, Name="draft")
        c.tag_resource(Resource=ARN + "shapes", Tags={"a": "1", "b": "2"})
        c.list_tags(Resource=ARN + "shapes")
        c.untag_resource(Resource=ARN + "shapes", TagKeys=["a", "b"])
        c.put_function_concurrency(**name, ReservedConcurrentExecutions=5)
        c.get_function_concurrency(**name)
        c.get_function(**name)
        c.delete_function_concurrency(**name)
        c.get_function_concurrency(**name)
        c.create_function_url_config(**name, AuthType="NONE", Cors={"AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": 5})
        c.get_function_url_config(**name)
        c.list_function_url_configs(**name)
        c.update_function_url_config(**name, AuthType="AWS_IAM")
        c.delete_function_url_config(**name)
        c.list_function_url_configs(**name)
        c.get_account_settings()
        c.get_function_code_signing_config(**name)
        c.list_event_source_mappings(**name)
        c.put_function_event_invoke_config(**name, MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60)
        c.update_function_event_invoke_config(**name, MaximumRetryAttempts=0)
        c.get_function_event_invoke_config(**name)
        c.list_function_event_invoke_configs(**name)
        c.delete_function_event_invoke_config(**name)
        c.list_function_event_invoke_configs(**name)
        c.list_provisioned_concurrency_configs(**name)
        c.list_layers()
        c.list_layer_versions(LayerName="none")
        c.list_code_signing_configs()
        c.delete_function(**name, Qualifier="3")
        c.delete_function(**name)
        self.assertEqual(self.faults, [])
        # Everything that the table of docs/differences.md says is answered, and this botocore knows; but what answers 404 alone.
        known = set(c.meta.service_model.operation_names)
        answered = {operation for operation, (answer, note) in table().items() if answer == "yes" and not note.startswith("404")}
        self.assertEqual(sorted(self.checked), sorted(answered & known))

    def test_the_check_finds_what_is_wrong(self):
        model = self.client.meta.service_model.operation_model("GetFunctionConfiguration")
        shape = model.output_shape
        good = {"FunctionName": "f", "Timeout": 3, "State": "Active", "Environment": {"Variables": {"A": "b"}}, "Architectures": ["x86_64"]}
        self.assertEqual(faults_of(good, shape, "it"), [])
        for wrong in ({"Foo": 1}, {"Timeout": "3"}, {"Timeout": True}, {"Timeout": 0}, {"State": "Ready"}, {"Environment": []},
                      {"Environment": {"Variables": {"A": 1}}}, {"Architectures": "x86_64"}, {"FunctionName": None}):
            with self.subTest(wrong=wrong):
                self.assertEqual(len(faults_of({**good, **wrong}, shape, "it")), 1)
        mapping = self.client.meta.service_model.operation_model("CreateFunctionUrlConfig")
        self.assertIn("is missing", faults_of({}, mapping.output_shape, "it")[0])
        self.assertIn("status", faults_of_reply(model, 201, {}, b"{}")[0])
        self.assertIn("not JSON", faults_of_reply(model, 200, {}, b"{")[0])


if __name__ == "__main__":
    unittest.main()
