"""CreateFunction and UpdateFunctionCode with ImageUri, the name of a local image, on both drivers."""

import subprocess
import unittest
import uuid

from aws_clients import ROLE, AwsTest, zipped
from lambda_server import on_both_drivers

LOOP = """
import json, os, sys, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as reply:
        identity, event = reply.headers["Lambda-Runtime-Aws-Request-Id"], json.load(reply)
    answer = json.dumps({"image": "NAME", "arguments": sys.argv[1:], "folder": os.getcwd(), "event": event}).encode()
    urllib.request.urlopen(urllib.request.Request(base + identity + "/response", data=answer, method="POST")).read()
"""


def docker(*arguments, **more):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300, check=False, **more)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


@on_both_drivers
class Images(AwsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = {}
        for name in ("one", "two"):
            tag = f"lambda-aws-test-{name}:{uuid.uuid4().hex[:12]}"
            folder = cls.server.folder({"Dockerfile": 'FROM lambda/python:3.11\nCOPY loop.py /loop.py\nENTRYPOINT ["python3", "/loop.py"]\n'
                                                      'CMD ["given"]\n', "loop.py": LOOP.replace("NAME", name)})
            docker("build", "-q", "-t", tag, str(folder), env={"PATH": "/usr/bin:/bin", "HOME": str(cls.server.home), "DOCKER_BUILDKIT": "0"})
            cls.addClassCleanup(docker, "rmi", "-f", tag)
            cls.images[name] = tag

    def make(self, name, **more):
        made = self.client.create_function(FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": self.images["one"]},
                                           Timeout=20, **more)
        self.addCleanup(self.remove, name)
        return made

    def test_an_images_life(self):
        c = self.client
        made = self.make("img")
        self.assertEqual((made["PackageType"], made["State"]), ("Image", "Active"))
        for absent in ("Runtime", "Handler", "ImageConfigResponse"):
            self.assertNotIn(absent, made)
        code = c.get_function(FunctionName="img")["Code"]
        self.assertEqual((code["RepositoryType"], code["ImageUri"]), ("ECR", self.images["one"]))
        self.assertRegex(code["ResolvedImageUri"], "sha256:[0-9a-f]{64}")
        _, said = self.invoke("img", {"a": 1})
        self.assertEqual((said["image"], said["arguments"], said["event"]), ("one", ["given"], {"a": 1}))
        first = c.publish_version(FunctionName="img")
        updated = c.update_function_code(FunctionName="img", ImageUri=self.images["two"])
        self.assertNotEqual(updated["CodeSha256"], first["CodeSha256"])
        self.assertEqual((self.invoke("img")[1]["image"], self.invoke("img", Qualifier="1")[1]["image"]), ("two", "one"))
        self.assert_refused(lambda: c.update_function_code(FunctionName="img", ZipFile=zipped()), 400, "InvalidParameterValueException",
                            "Please provide ImageUri when updating a function with packageType Image.")
        self.assert_refused(lambda: c.update_function_configuration(FunctionName="img", Handler="a.b"), 400,
                            "InvalidParameterValueException", "Please don't provide Handler or Runtime or Layer when the intended function")

    def test_image_config(self):
        made = self.make("configured", ImageConfig={"Command": ["x", "y"], "WorkingDirectory": "/usr"})
        self.assertEqual(made["ImageConfigResponse"], {"ImageConfig": {"Command": ["x", "y"], "WorkingDirectory": "/usr"}})
        _, said = self.invoke("configured")
        self.assertEqual((said["arguments"], said["folder"]), (["x", "y"], "/usr"))
        self.client.update_function_configuration(FunctionName="configured", ImageConfig={"EntryPoint": ["python3", "/loop.py", "first"]})
        self.assertEqual(self.invoke("configured")[1]["arguments"], ["first", "given"])
        cleared = self.client.update_function_configuration(FunctionName="configured", ImageConfig={})
        self.assertNotIn("ImageConfigResponse", cleared)
        self.assertEqual(self.invoke("configured")[1]["arguments"], ["given"])

    def test_refusals(self):
        def create(**settings):
            return lambda: self.client.create_function(**{"FunctionName": "no", "Role": ROLE, "PackageType": "Image", **settings})

        invalid = "InvalidParameterValueException"
        text = self.assert_refused(create(Code={"ImageUri": "nobody-has-this:1"}), 400, invalid, "ImageUri nobody-has-this:1")
        self.assertNotIn("500", text)
        self.assert_refused(create(Code={"ZipFile": zipped()}), 400, invalid, "ImageUri")
        self.assert_refused(create(Code={"ImageUri": self.images["one"], "ZipFile": zipped()}), 400, invalid,
                            "Please do not provide other FunctionCode parameters when providing an ImageUri.")
        self.assert_refused(create(Code={"ImageUri": self.images["one"]}, Runtime="python3.11", Handler="a.b"), 400, invalid,
                            "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.")
        self.assert_refused(create(Code={"ImageUri": self.images["one"]}, PackageType="Zip", Runtime="python3.11", Handler="a.b"), 400,
                            invalid, "ImageUri")
        self.assertEqual(self.client.list_functions(FunctionVersion="ALL")["Functions"], [])


if __name__ == "__main__":
    unittest.main()
