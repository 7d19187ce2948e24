"""What the tests of AWS's clients share: a server of their own, boto3, the AWS CLI, requests that botocore signs, and zips."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
from botocore.config import Config

from lambda_server import ServerTest

ROLE = "arn:aws:iam::000000000000:role/anyone"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"

ECHO = """
import os
def handler(event, context):
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("as asked")
    client = context.client_context
    return {"event": event, "version": context.function_version, "arn": context.invoked_function_arn, "name": context.function_name,
            "memory": context.memory_limit_in_mb, "word": os.environ.get("WORD"), "id": context.aws_request_id,
            "custom": client.custom if client else None}
"""


def zipped(source=ECHO, name="app.py", **more):
    """A zip with one file (and `more` files by name), the same bytes for the same content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in {name: source, **more}.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return out.getvalue()


class AwsTest(ServerTest):
    """A server for the class, and boto3's client of it."""

    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = cls.server.boto()
        cls.key_id, cls.secret = cls.server.key.removeprefix("lam_").split("_")
        # One that sends what the other would refuse itself.
        cls.blunt = boto3.client("lambda", endpoint_url=cls.server.url, region_name="us-east-1", aws_access_key_id=cls.key_id,
                                 aws_secret_access_key=cls.secret, config=Config(retries={"max_attempts": 0}, parameter_validation=False))
        cls.addClassCleanup(cls.client.close)
        cls.addClassCleanup(cls.blunt.close)

    def create(self, name, source=ECHO, **settings):
        settings.setdefault("Runtime", "python3.11")
        settings.setdefault("Handler", "app.handler")
        made = self.client.create_function(FunctionName=name, Role=ROLE, Code={"ZipFile": zipped(source)}, **settings)
        self.addCleanup(self.remove, name)
        return made

    def remove(self, name):
        try:
            self.client.delete_function(FunctionName=name)
        except self.client.exceptions.ResourceNotFoundException:
            pass

    def invoke(self, name, event=None, **settings):
        reply = self.client.invoke(FunctionName=name, Payload=json.dumps({} if event is None else event), **settings)
        return reply, json.loads(reply["Payload"].read())

    def assert_refused(self, call, status, code, message):
        """`call` fails with this status, this error code (in body and header), and a message with these words (a pattern: r"...")."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call()
        response = caught.exception.response
        self.assertEqual((response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]), (status, code), response)
        self.assertEqual(response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"], code)
        self.assertRegex(response["ResponseMetadata"]["RequestId"], r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")
        text = response["Error"]["Message"]
        self.assertIn(message, text)
        return text

    # --- requests that botocore signs, one at a time

    def signed(self, method, path, body=None, headers=None, signer=botocore.auth.SigV4Auth, key_id=None, secret=None, region="us-east-1",
               service="lambda", token=None, change=None, **options):
        """A request as the signer of botocore makes it; `change` may alter it between signing and sending."""
        credentials = botocore.credentials.Credentials(key_id or self.key_id, secret or self.secret, token)
        request = botocore.awsrequest.AWSRequest(method=method, url=self.server.url + path, data=body, headers=headers or {})
        signer(credentials, service, region, **options).add_auth(request)
        prepared = request.prepare()
        if change:
            change(prepared)
        target = prepared.url.removeprefix(self.server.url)
        sent = {name: value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()}
        return self.server.request(method, target, headers=sent, body=prepared.body)

    # --- the AWS CLI

    def aws(self, *arguments, check=True, key_id=None, secret=None, environment=None):
        """Debian's aws, as a person would run it with the settings of `lambda config aws`."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        variables.update({"AWS_ACCESS_KEY_ID": key_id or self.key_id, "AWS_SECRET_ACCESS_KEY": secret or self.secret,
                          "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": "", "HOME": str(self.server.home),
                          "AWS_EC2_METADATA_DISABLED": "true", **(environment or {})})
        done = subprocess.run(["/usr/bin/aws", "--endpoint-url", self.server.url, "--output", "json", "lambda", *map(str, arguments)],
                              env=variables, cwd=self.server.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              check=False)
        if check:
            self.assertEqual(done.returncode, 0, f"aws lambda {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
            return json.loads(done.stdout) if done.stdout.strip() else None
        return done
