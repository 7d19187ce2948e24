"""Functions, versions, aliases and tags by boto3: what changes, what is answered, and every refusal with its status, code and words."""

import base64
import hashlib
import time
import unittest
import urllib.error
import urllib.request

from aws_clients import ARN, ROLE, AwsTest, zipped

REVISION = ("The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest "
            "Revision Id")


def code(word):
    return f"def handler(event, context):\n    return {word!r}\n"


class Functions(AwsTest):
    def test_create(self):
        package = zipped()
        made = self.create("made", Description="words", Timeout=5, MemorySize=192, Tags={"a": "b"})
        self.assertEqual(made["FunctionArn"], ARN + "made")
        self.assertEqual((made["Version"], made["State"], made["LastUpdateStatus"]), ("$LATEST", "Active", "Successful"))
        self.assertEqual((made["CodeSize"], made["CodeSha256"]),
                         (len(package), base64.b64encode(hashlib.sha256(package).digest()).decode()))
        self.assertRegex(made["LastModified"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")
        self.assertEqual((made["Timeout"], made["MemorySize"], made["Description"], made["PackageType"]), (5, 192, "words", "Zip"))
        self.assertNotIn("Environment", made)
        found = self.client.get_function(FunctionName="made")
        self.assertEqual(found["Tags"], {"a": "b"})
        self.assertEqual(found["Configuration"]["RevisionId"], made["RevisionId"])
        defaults = self.create("defaults")
        self.assertEqual((defaults["Timeout"], defaults["MemorySize"], defaults["EphemeralStorage"]), (3, 128, {"Size": 512}))
        self.assertNotIn("Tags", self.client.get_function(FunctionName="defaults"))

    def test_create_and_publish(self):
        made = self.create("published", Publish=True)
        self.assertEqual((made["Version"], made["FunctionArn"]), ("1", ARN + "published:1"))

    def test_create_refusals(self):
        c = self.blunt
        self.create("taken")
        good = {"FunctionName": "wrong", "Role": ROLE, "Runtime": "python3.11", "Handler": "app.handler", "Code": {"ZipFile": zipped()}}

        def refused(status, error, message, **changes):
            with self.subTest(**{key: str(value)[:60] for key, value in changes.items()}):
                settings = {key: value for key, value in {**good, **changes}.items() if value is not None}
                self.assert_refused(lambda: c.create_function(**settings), status, error, message)

        invalid, validation = "InvalidParameterValueException", "ValidationException"
        refused(409, "ResourceConflictException", "Function already exist: taken", FunctionName="taken")
        refused(400, validation, "Value 'a b' at 'functionName' failed to satisfy constraint", FunctionName="a b")
        refused(400, validation, "Member must have length less than or equal to 64", FunctionName="a" * 65)
        refused(400, validation, "at 'functionName'", FunctionName="wrong:1")
        refused(400, validation, "1 validation error detected: Value 'me' at 'role' failed to satisfy constraint: Member must satisfy "
                "regular expression pattern", Role="me")
        refused(400, invalid, "Value ruby3.3 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [",
                Runtime="ruby3.3")
        refused(400, invalid, "Runtime and Handler are mandatory parameters for functions created with deployment packages.", Runtime=None)
        refused(400, invalid, "Runtime and Handler are mandatory parameters", Handler=None)
        refused(400, validation, "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
                Timeout=0)
        refused(400, validation, "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
                Timeout=901)
        refused(400, validation, "2 validation errors detected: ", Timeout=901, MemorySize=64)
        refused(400, validation, "'memorySize'", MemorySize=10241)
        refused(400, validation, "Member must have length less than or equal to 256", Description="x" * 257)
        refused(400, validation, "'handler'", Handler="x" * 129)
        refused(400, validation, "Map keys must satisfy constraint", Environment={"Variables": {"1A": "x"}})
        refused(400, invalid, "reserved keys that are currently not supported for modification. Reserved keys used in this request: "
                "AWS_REGION", Environment={"Variables": {"AWS_REGION": "x"}})
        refused(400, invalid, "exceeded the 4KB limit", Environment={"Variables": {"BIG": "x" * 4096}})
        refused(400, invalid, "Could not unzip uploaded file. Please check your file, then try to upload again", Code={"ZipFile": b"no zip"})
        refused(400, invalid, "Please provide a source for function code.", Code={})
        refused(400, invalid, "this server has no S3", Code={"S3Bucket": "b", "S3Key": "k"})
        refused(400, invalid, "--zip-file", Code={"S3Bucket": "b", "S3Key": "k"})
        refused(413, "RequestEntityTooLargeException", "Zipped size must be smaller than 52428800 bytes",
                Code={"ZipFile": b"x" * 52428801})
        refused(400, invalid, "Number of tags exceeds resource tag limit", Tags={f"t{i}": "x" for i in range(51)})
        names = [each["FunctionName"] for each in c.list_functions()["Functions"]]
        self.assertNotIn("wrong", names)

    def test_malformed_requests(self):
        for path, body, error in (("/2015-03-31/functions", b"{", "SerializationException"),
                                  ("/2015-03-31/functions", b"[]", "SerializationException"),
                                  ("/2015-03-31/functions", b'{"FunctionName": 1}', "SerializationException"),
                                  ("/2015-03-31/functions", b"{}", "ValidationException"),
                                  ("/2015-03-31/functions", b"", "ValidationException")):
            with self.subTest(body=body):
                reply = self.server.api("POST", path, body=body)
                self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (400, error))
                self.assertIn("message", reply.json())
        reply = self.server.api("GET", "/2015-03-31/nothing")
        self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (404, "UnknownOperationException"))

    def test_not_found(self):
        c = self.client
        message = f"Function not found: {ARN}nobody"
        for call in (c.get_function, c.get_function_configuration, c.delete_function, c.publish_version, c.list_aliases,
                     c.list_versions_by_function, c.update_function_configuration):
            self.assertEqual(self.assert_refused(lambda: call(FunctionName="nobody"), 404, "ResourceNotFoundException", message), message)
        self.assert_refused(lambda: c.invoke(FunctionName="nobody"), 404, "ResourceNotFoundException", message + ":$LATEST")
        self.create("somebody")
        for qualifier in ("9", "none"):
            self.assert_refused(lambda: c.get_function(FunctionName="somebody", Qualifier=qualifier), 404, "ResourceNotFoundException",
                                f"Function not found: {ARN}somebody:{qualifier}")
        self.assert_refused(lambda: c.get_function(FunctionName="arn:aws:lambda:eu-west-1:000000000000:function:somebody"), 404,
                            "ResourceNotFoundException", "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")
        self.assert_refused(lambda: c.get_function(FunctionName="arn:aws:lambda:us-east-1:111111111111:function:somebody"), 404,
                            "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:111111111111:function:somebody")

    def test_the_code_downloads(self):
        self.create("download")
        link = self.client.get_function(FunctionName="download")["Code"]
        self.assertEqual(link["RepositoryType"], "S3")
        with urllib.request.urlopen(link["Location"]) as reply:
            self.assertEqual((reply.headers["Content-Type"], reply.read()), ("application/zip", zipped()))
        address, query = link["Location"].split("?")
        expires = int(query.split("expires=")[1].split("&")[0])
        self.assertAlmostEqual(expires, time.time() + 600, delta=30)
        digest = address.rsplit("/", 1)[1]
        for tampered in (link["Location"][:-1] + ("0" if link["Location"][-1] != "0" else "1"),
                         link["Location"].replace(str(expires), str(expires + 3600)),
                         link["Location"].replace(digest, "0" * 64 + ".zip"), address):
            with self.subTest(link=tampered), self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(tampered)
            self.assertEqual(caught.exception.code, 403)

    def test_the_link_leads_where_the_caller_came_from(self):
        self.create("named")
        for host in (f"localhost:{self.server.port}", f"lambda.example:{self.server.port}"):
            reply = self.server.api("GET", "/2015-03-31/functions/named", headers={"Host": host})
            self.assertTrue(reply.json()["Code"]["Location"].startswith(f"http://{host}/_lambda/code/"), reply)
        reply = self.server.api("GET", "/2015-03-31/functions/named", headers={"Host": "lambda.example", "X-Forwarded-Proto": "https"})
        self.assertTrue(reply.json()["Code"]["Location"].startswith("https://lambda.example/_lambda/code/"), reply)

    def test_update_code(self):
        c = self.client
        made = self.create("code", code("one"))
        self.assertEqual(self.invoke("code")[1], "one")
        dry = c.update_function_code(FunctionName="code", ZipFile=zipped(code("two")), DryRun=True)
        self.assertNotEqual(dry["CodeSha256"], made["CodeSha256"])
        self.assertEqual(self.invoke("code")[1], "one")
        self.assertEqual(c.get_function_configuration(FunctionName="code")["RevisionId"], made["RevisionId"])
        for more in ({"DryRun": True}, {}):
            self.assert_refused(lambda: c.update_function_code(FunctionName="code", ZipFile=zipped(code("two")), RevisionId="other", **more),
                                412, "PreconditionFailedException", REVISION)
        updated = c.update_function_code(FunctionName="code", ZipFile=zipped(code("two")), RevisionId=made["RevisionId"])
        self.assertNotEqual(updated["RevisionId"], made["RevisionId"])
        self.assertEqual(updated["CodeSha256"], dry["CodeSha256"])
        self.assertEqual(self.invoke("code")[1], "two")
        first = c.update_function_code(FunctionName="code", ZipFile=zipped(code("three")), Publish=True)
        self.assertEqual((first["Version"], first["FunctionArn"]), ("1", ARN + "code:1"))
        again = c.update_function_code(FunctionName="code", ZipFile=zipped(code("three")), Publish=True)
        self.assertEqual(again["Version"], "1")
        second = c.update_function_code(FunctionName="code", ZipFile=zipped(code("four")), Publish=True)
        self.assertEqual(second["Version"], "2")
        self.assertEqual([self.invoke("code", Qualifier=each)[1] for each in ("1", "2", "$LATEST")], ["three", "four", "four"])
        invalid = "InvalidParameterValueException"
        self.assert_refused(lambda: c.update_function_code(FunctionName="code", ZipFile=b"x"), 400, invalid, "Could not unzip")
        self.assert_refused(lambda: c.update_function_code(FunctionName="code", S3Bucket="mine", S3Key="k"), 400, invalid, "no S3")
        self.assert_refused(lambda: c.update_function_code(FunctionName="code", ImageUri="x:1"), 400, invalid, "")
        self.assert_refused(lambda: c.update_function_code(FunctionName="code"), 400, invalid, "Please provide a source")
        self.assert_refused(lambda: c.update_function_code(FunctionName="code:1", ZipFile=zipped()), 400, invalid,
                            "This operation is permitted on Lambda functions only.")
        self.assertEqual(self.invoke("code")[1], "four")

    def test_update_configuration(self):
        c = self.client
        made = self.create("settings", Environment={"Variables": {"WORD": "a", "OTHER": "b"}}, Description="d", MemorySize=192)
        self.assertEqual(self.invoke("settings")[1]["word"], "a")
        updated = c.update_function_configuration(FunctionName="settings", Timeout=8, RevisionId=made["RevisionId"])
        self.assertEqual((updated["Timeout"], updated["MemorySize"], updated["Description"]), (8, 192, "d"))
        self.assertNotEqual(updated["RevisionId"], made["RevisionId"])
        self.assert_refused(lambda: c.update_function_configuration(FunctionName="settings", Timeout=9, RevisionId=made["RevisionId"]), 412,
                            "PreconditionFailedException", REVISION)
        updated = c.update_function_configuration(FunctionName="settings", Environment={"Variables": {"WORD": "c"}}, MemorySize=256)
        self.assertEqual(updated["Environment"], {"Variables": {"WORD": "c"}})
        _, seen = self.invoke("settings")
        self.assertEqual((seen["word"], seen["memory"]), ("c", 256 if isinstance(seen["memory"], int) else "256"))
        updated = c.update_function_configuration(FunctionName="settings", Environment={})
        self.assertEqual(updated["Environment"], {"Variables": {}})
        self.assertIsNone(self.invoke("settings")[1]["word"])
        self.assert_refused(lambda: c.update_function_configuration(FunctionName="settings", Runtime="cobol"), 400,
                            "InvalidParameterValueException", "cobol")
        self.assert_refused(lambda: self.blunt.update_function_configuration(FunctionName="settings", Timeout=0), 400, "ValidationException",
                            "'timeout'")
        self.assertEqual(c.get_function_configuration(FunctionName="settings")["Timeout"], 8)

    def test_delete(self):
        c = self.client
        self.create("gone", code("one"), Publish=True)
        c.create_alias(FunctionName="gone", Name="prod", FunctionVersion="1")
        self.assert_refused(lambda: c.delete_function(FunctionName="gone", Qualifier="1"), 409, "ResourceConflictException",
                            "Unable to delete version because the following aliases reference it: [prod]")
        self.assert_refused(lambda: c.delete_function(FunctionName="gone", Qualifier="$LATEST"), 400, "InvalidParameterValueException",
                            "$LATEST version cannot be deleted without deleting the function.")
        self.assert_refused(lambda: c.delete_function(FunctionName="gone", Qualifier="prod"), 400, "InvalidParameterValueException",
                            "DeleteAlias")
        c.delete_alias(FunctionName="gone", Name="prod")
        self.assertEqual(c.delete_function(FunctionName="gone", Qualifier="1")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assert_refused(lambda: c.get_function(FunctionName="gone", Qualifier="1"), 404, "ResourceNotFoundException", "gone:1")
        # A number is never given twice.
        self.assertEqual(c.publish_version(FunctionName="gone")["Version"], "2")
        self.assertEqual(c.delete_function(FunctionName="gone:2")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(c.delete_function(FunctionName="gone")["ResponseMetadata"]["HTTPStatusCode"], 204)
        for call in (c.get_function, c.delete_function, c.invoke):
            self.assert_refused(lambda: call(FunctionName="gone"), 404, "ResourceNotFoundException", "Function not found")

    def test_every_spelling_of_a_name(self):
        self.create("spelled", Publish=True)
        for name in ("spelled", ARN + "spelled", "000000000000:function:spelled", "function:spelled"):
            with self.subTest(name=name):
                self.assertEqual(self.client.get_function_configuration(FunctionName=name)["FunctionArn"], ARN + "spelled")
                self.assertEqual(self.invoke(name)[0]["ExecutedVersion"], "$LATEST")
                self.assertEqual(self.invoke(name + ":1")[0]["ExecutedVersion"], "1")
                self.assertEqual(self.client.get_function_configuration(FunctionName=name + ":1")["FunctionArn"], ARN + "spelled:1")
        self.assertEqual(self.client.get_function(FunctionName="spelled", Qualifier="$LATEST")["Configuration"]["FunctionArn"],
                         ARN + "spelled:$LATEST")
        self.assertEqual(self.invoke("spelled:1", Qualifier="1")[0]["ExecutedVersion"], "1")
        self.assert_refused(lambda: self.client.get_function(FunctionName="spelled:1", Qualifier="2"), 400,
                            "InvalidParameterValueException",
                            "The derived qualifier from the function name does not match the specified qualifier.")


class Lists(AwsTest):
    def test_functions_in_pages(self):
        c = self.client
        names = [f"page{index:03}" for index in range(55)]
        for name in names:
            self.create(name)
        first = c.list_functions()
        self.assertEqual(len(first["Functions"]), 50)
        second = c.list_functions(Marker=first["NextMarker"])
        self.assertEqual([each["FunctionName"] for each in first["Functions"] + second["Functions"]], names)
        self.assertNotIn("NextMarker", second)
        self.assertEqual(len(c.list_functions(MaxItems=10000)["Functions"]), 50)
        pages = list(c.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 20}))
        self.assertEqual([len(page["Functions"]) for page in pages], [20, 20, 15])
        self.assert_refused(lambda: c.list_functions(Marker="made up"), 400, "InvalidParameterValueException", "Marker")
        # Who deletes what a page shows before asking for the next one meets every function.
        for page in c.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 10}):
            for each in page["Functions"]:
                c.delete_function(FunctionName=each["FunctionName"])
        self.assertEqual(c.list_functions()["Functions"], [])

    def test_all_versions(self):
        self.create("first", Publish=True)
        self.create("second")
        listed = self.client.list_functions(FunctionVersion="ALL")["Functions"]
        self.assertEqual([each["FunctionArn"] for each in listed], [ARN + "first:$LATEST", ARN + "first:1", ARN + "second:$LATEST"])
        self.assertEqual([each["FunctionArn"] for each in self.client.list_functions()["Functions"]], [ARN + "first", ARN + "second"])
        reply = self.server.api("GET", "/2015-03-31/functions?FunctionVersion=SOME")
        self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (400, "ValidationException"))
        for wrong in ("0", "10001"):
            reply = self.server.api("GET", f"/2015-03-31/functions/?MaxItems={wrong}")
            self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (400, "ValidationException"))


class Versions(AwsTest):
    def test_publish(self):
        c = self.client
        made = self.create("v", code("one"))
        first = c.publish_version(FunctionName="v", Description="the first")
        self.assertEqual((first["Version"], first["FunctionArn"], first["Description"]), ("1", ARN + "v:1", "the first"))
        self.assertEqual(first["ResponseMetadata"]["HTTPStatusCode"], 201)
        again = c.publish_version(FunctionName="v", Description="nothing changed")
        self.assertEqual((again["Version"], again["Description"], again["ResponseMetadata"]["HTTPStatusCode"]), ("1", "the first", 201))
        wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        self.assert_refused(lambda: c.publish_version(FunctionName="v", CodeSha256=wrong), 400, "InvalidParameterValueException",
                            f"CodeSHA256 ({wrong}) is different from current CodeSHA256 in $LATEST ({made['CodeSha256']}). Please try "
                            "again with the CodeSHA256 in $LATEST.")
        self.assert_refused(lambda: c.publish_version(FunctionName="v", RevisionId="other"), 412, "PreconditionFailedException", REVISION)
        c.update_function_configuration(FunctionName="v", Timeout=9)
        second = c.publish_version(FunctionName="v", CodeSha256=made["CodeSha256"])
        self.assertEqual((second["Version"], second["Timeout"]), ("2", 9))
        self.assertEqual(c.get_function_configuration(FunctionName="v", Qualifier="1")["Timeout"], 3)
        self.assertEqual(self.server.api("POST", "/2015-03-31/functions/v/versions").status, 201)
        for index in range(3, 13):
            c.update_function_code(FunctionName="v", ZipFile=zipped(code(f"number {index}")), Publish=True)
        listed = c.list_versions_by_function(FunctionName="v")["Versions"]
        self.assertEqual([each["Version"] for each in listed], ["$LATEST", *map(str, range(1, 13))])
        self.assertEqual((listed[0]["FunctionArn"], listed[12]["FunctionArn"]), (ARN + "v:$LATEST", ARN + "v:12"))
        paged = c.get_paginator("list_versions_by_function").paginate(FunctionName="v", PaginationConfig={"PageSize": 5})
        self.assertEqual([[each["Version"] for each in page["Versions"]] for page in paged],
                         [["$LATEST", "1", "2", "3", "4"], ["5", "6", "7", "8", "9"], ["10", "11", "12"]])
        self.assertEqual(self.invoke("v", Qualifier="7")[1], "number 7")

    def test_waiters(self):
        c = self.client
        self.create("w")
        c.publish_version(FunctionName="w")
        for waiter in ("function_exists", "function_active", "function_active_v2", "function_updated", "function_updated_v2"):
            c.get_waiter(waiter).wait(FunctionName="w", WaiterConfig={"Delay": 1, "MaxAttempts": 2})
        c.get_waiter("published_version_active").wait(FunctionName="w", Qualifier="1", WaiterConfig={"Delay": 1, "MaxAttempts": 2})


class Aliases(AwsTest):
    def setUp(self):
        super().setUp()
        self.create("a", code("one"), Publish=True)
        self.client.update_function_code(FunctionName="a", ZipFile=zipped(code("two")), Publish=True)

    def test_create_read_update_delete(self):
        c = self.client
        made = c.create_alias(FunctionName="a", Name="prod", FunctionVersion="1", Description="d")
        self.assertEqual((made["AliasArn"], made["Name"], made["FunctionVersion"], made["Description"]), (ARN + "a:prod", "prod", "1", "d"))
        self.assertNotIn("RoutingConfig", made)
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertEqual(self.invoke("a", Qualifier="prod")[1], "one")
        moved = c.update_alias(FunctionName="a", Name="prod", FunctionVersion="2", RevisionId=made["RevisionId"])
        self.assertEqual((moved["FunctionVersion"], moved["Description"]), ("2", "d"))
        self.assertNotEqual(moved["RevisionId"], made["RevisionId"])
        self.assertEqual(self.invoke("a:prod")[1], "two")
        self.assertEqual(c.get_function_configuration(FunctionName="a", Qualifier="prod")["Version"], "2")
        c.create_alias(FunctionName="a", Name="draft", FunctionVersion="$LATEST")
        self.assertEqual([each["Name"] for each in c.list_aliases(FunctionName="a")["Aliases"]], ["draft", "prod"])
        self.assertEqual([each["Name"] for each in c.list_aliases(FunctionName="a", FunctionVersion="2")["Aliases"]], ["prod"])
        first = c.list_aliases(FunctionName="a", MaxItems=1)
        self.assertEqual(c.list_aliases(FunctionName="a", Marker=first["NextMarker"])["Aliases"][0]["Name"], "prod")
        for _ in range(2):  # one that is not there is fine
            self.assertEqual(c.delete_alias(FunctionName="a", Name="prod")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assert_refused(lambda: c.invoke(FunctionName="a", Qualifier="prod"), 404, "ResourceNotFoundException",
                            f"Function not found: {ARN}a:prod")

    def test_refusals(self):
        c = self.client
        made = c.create_alias(FunctionName="a", Name="prod", FunctionVersion="1")

        def create(**settings):
            return lambda: c.create_alias(**{"FunctionName": "a", "Name": "new", "FunctionVersion": "1", **settings})

        def weights(**versions):
            return {"RoutingConfig": {"AdditionalVersionWeights": {key[1:]: value for key, value in versions.items()}}}

        invalid = "InvalidParameterValueException"
        self.assert_refused(create(Name="prod"), 409, "ResourceConflictException", f"Alias already exists: {ARN}a:prod")
        self.assert_refused(create(Name="7"), 400, "ValidationException", "'name'")
        self.assert_refused(create(FunctionVersion="9"), 404, "ResourceNotFoundException", f"Function not found: {ARN}a:9")
        self.assert_refused(create(FunctionVersion="x"), 400, "ValidationException", "'functionVersion'")
        self.assert_refused(create(FunctionVersion="$LATEST", **weights(v1=0.5)), 400, invalid,
                            "$LATEST is not supported for an alias pointing to more than 1 version")
        self.assert_refused(create(**weights(v1=0.5)), 400, invalid,
                            "Invalid function version 1. Function version 1 is already included in routing configuration.")
        self.assert_refused(create(**weights(v1=0.1, v2=0.1)), 400, invalid,
                            "Number of items in AdditionalVersionWeights cannot be greater than 1")
        self.assert_refused(create(**weights(v2=1.5)), 400, "ValidationException", "1.0")
        self.assert_refused(create(**weights(v9=0.5)), 404, "ResourceNotFoundException", f"Function not found: {ARN}a:9")
        self.assert_refused(create(FunctionName="nobody"), 404, "ResourceNotFoundException", "nobody")
        self.assert_refused(lambda: c.get_alias(FunctionName="a", Name="none"), 404, "ResourceNotFoundException",
                            f"Cannot find alias arn: {ARN}a:none")
        self.assert_refused(lambda: c.update_alias(FunctionName="a", Name="none"), 404, "ResourceNotFoundException",
                            f"Alias not found: {ARN}a:none")
        self.assert_refused(lambda: c.update_alias(FunctionName="a", Name="prod", RevisionId="other"), 412, "PreconditionFailedException",
                            REVISION)
        self.assertEqual(c.get_alias(FunctionName="a", Name="prod")["RevisionId"], made["RevisionId"])

    def test_weights_share_out_the_calls(self):
        c = self.client
        made = c.create_alias(FunctionName="a", Name="canary", FunctionVersion="1",
                              RoutingConfig={"AdditionalVersionWeights": {"2": 0.3}})
        self.assertEqual(made["RoutingConfig"], {"AdditionalVersionWeights": {"2": 0.3}})
        answers = []
        for _ in range(400):
            reply, said = self.invoke("a", Qualifier="canary")
            answers.append(said)
            self.assertEqual(reply["ExecutedVersion"], {"one": "1", "two": "2"}[said])
        # 0.3 of 400 is 120; eight standard deviations (9.2) either way.
        self.assertTrue(47 < answers.count("two") < 193, answers.count("two"))
        # What an alias is does not depend on chance.
        self.assertEqual({c.get_function_configuration(FunctionName="a", Qualifier="canary")["Version"] for _ in range(20)}, {"1"})
        self.assert_refused(lambda: c.delete_function(FunctionName="a", Qualifier="2"), 409, "ResourceConflictException", "canary")
        kept = c.update_alias(FunctionName="a", Name="canary", Description="still")
        self.assertEqual(kept["RoutingConfig"], made["RoutingConfig"])
        cleared = c.update_alias(FunctionName="a", Name="canary", RoutingConfig={"AdditionalVersionWeights": {}})
        self.assertNotIn("RoutingConfig", cleared)
        self.assertEqual({self.invoke("a", Qualifier="canary")[1] for _ in range(30)}, {"one"})


class Tags(AwsTest):
    def test_tags(self):
        c = self.client
        self.create("t", Tags={"team": "x"})
        arn = ARN + "t"
        self.assertEqual(c.tag_resource(Resource=arn, Tags={"a": "1", "ü b": "é/"})["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(c.list_tags(Resource=arn)["Tags"], {"team": "x", "a": "1", "ü b": "é/"})
        self.assertEqual(c.get_function(FunctionName="t")["Tags"], {"team": "x", "a": "1", "ü b": "é/"})
        self.assertEqual(c.untag_resource(Resource=arn, TagKeys=["ü b", "team", "none"])["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(c.list_tags(Resource=arn)["Tags"], {"a": "1"})
        invalid = "InvalidParameterValueException"
        self.assert_refused(lambda: c.tag_resource(Resource=arn, Tags={f"k{index}": "" for index in range(50)}), 400, invalid,
                            "Number of tags exceeds resource tag limit")
        self.assert_refused(lambda: c.tag_resource(Resource=arn, Tags={"aws:x": ""}), 400, invalid, "aws:")
        self.assert_refused(lambda: c.tag_resource(Resource=arn + ":1", Tags={"x": ""}), 400, invalid,
                            "Tags on function aliases and versions are not supported. Please specify a function ARN.")
        self.assert_refused(lambda: c.list_tags(Resource=ARN + "nobody"), 404, "ResourceNotFoundException", "nobody")


if __name__ == "__main__":
    unittest.main()
