"""lambda alias, and the end of a canary by rollback; the weights really share the calls."""

import json
import unittest

from command_line import ServerTest

CODE = "def handler(event, context): return context.function_version\n"


class Aliases(ServerTest):
    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for version in range(1, 4):
            cls.server.deploy({"app.py": CODE + f"# {version}\n"}, "greet")

    def setUp(self):
        super().setUp()
        self.server.cli("alias", "set", "greet", "live", "3")

    def lambda_(self, *arguments, **more):
        return self.server.cli(*arguments, check=False, **more)

    def shares(self, calls, qualifier=None):
        """How often each version answered."""
        answers = [self.server.invoke("greet", {}, qualifier=qualifier, tail=False).json() for _ in range(calls)]
        return {version: answers.count(version) for version in sorted(set(answers))}

    def test_weights_share_the_calls_of_the_url(self):
        done = self.lambda_("alias", "set", "greet", "live", "2=75", "3=25")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^ALIAS +VERSIONS +DESCRIPTION\nlive +3 25 %, 2 75 %\n$")
        shares = self.shares(400)
        self.assertEqual(set(shares), {"2", "3"})
        # 4 standard deviations
        self.assertAlmostEqual(shares["2"], 300, delta=35)

    def test_rollback_undoes_a_canary(self):
        self.lambda_("alias", "set", "greet", "live", "2")
        self.lambda_("alias", "set", "greet", "live", "3=10", "2=90")
        done = self.lambda_("rollback", "greet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith('Rolled back "greet": version 2 has all calls\n'), done.stdout)
        self.assertIn("10 % of the calls went to version 3; all of them go to version 2 now", done.stderr)
        self.assertEqual(self.shares(30), {"2": 30})

    def test_a_version_that_gets_no_calls_is_none_of_two(self):
        self.assertRegex(self.lambda_("alias", "set", "greet", "live", "2=0", "1=100").stdout, r"\nlive +1\n$")
        self.assertEqual(self.shares(10), {"1": 10})

    def test_what_is_missing_is_named(self):
        self.assert_fails(self.lambda_("alias", "set", "greet", "live", "2=90", "44=10"), 5, '"greet" has no version 44: it has $LATEST, 3, 2, 1')
        self.assert_fails(self.lambda_("alias", "set", "greet", "prod", "44"), 5, "no version 44")
        self.assert_fails(self.lambda_("alias", "set", "greet", "2=90", "3=10"), 2, "Did you leave the alias out? lambda alias set NAME live 2=90")
        self.assert_fails(self.lambda_("alias", "set", "greet", "a name", "3"), 2, "cannot be an alias's name")

    def test_a_canary_can_be_promoted(self):
        self.lambda_("alias", "set", "greet", "live", "2")
        self.lambda_("alias", "set", "greet", "live", "2=50", "3=50")
        done = self.lambda_("promote", "greet", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.shares(20), {"3": 20})

    def test_a_name_of_ones_own(self):
        made = self.lambda_("alias", "set", "greet", "prod", "1", "--description", "what we sell", "-o", "json")
        self.assertEqual(json.loads(made.stdout), {"name": "prod", "version": "1", "description": "what we sell"})
        self.assertEqual(self.shares(3, "prod"), {"1": 3})
        self.assertEqual(json.loads(self.lambda_("invoke", "greet:prod", "--data", "{}").stdout), "1")
        self.assertEqual(json.loads(self.lambda_("alias", "set", "greet", "prod", "1=50", "2=50", "-o", "json").stdout)["additional"],
                         {"version": "2", "weight": 0.5})
        # It is AWS's alias.
        client = self.server.boto()
        self.addCleanup(client.close)
        alias = client.get_alias(FunctionName="greet", Name="prod")
        self.assertEqual((alias["FunctionVersion"], alias["RoutingConfig"], alias["Description"]),
                         ("1", {"AdditionalVersionWeights": {"2": 0.5}}, "what we sell"))
        self.lambda_("alias", "set", "greet", "prod", "2")
        self.assertNotIn("additional", json.loads(self.lambda_("alias", "list", "greet", "-o", "json").stdout)["aliases"][1])
        done = self.lambda_("alias", "delete", "greet", "prod")
        self.assertEqual((done.returncode, done.stdout), (0, 'Deleted the alias "prod" of "greet".\n'))
        self.assert_fails(self.lambda_("alias", "delete", "greet", "prod"), 5, 'no alias "prod"')

    def test_what_is_to_be_live_is_started_first(self):
        client = self.server.boto()
        self.addCleanup(client.close)
        self.server.deploy({"app.py": CODE}, "starts")
        client.update_function_configuration(FunctionName="starts", Handler="gone.handler")
        broken = client.publish_version(FunctionName="starts")["Version"]
        before = client.get_alias(FunctionName="starts", Name="live")
        for words in ([broken], ["1=90", f"{broken}=10"]):
            with self.subTest(words=words):
                done = self.lambda_("alias", "set", "starts", "live", *words)
                self.assert_fails(done, 3, f"version {broken} of starts was not made live", "gone", "`lambda logs starts`")
        after = client.get_alias(FunctionName="starts", Name="live")
        self.assertEqual([alias["RevisionId"] for alias in (before, after)], [before["RevisionId"]] * 2)
        self.assertEqual(self.server.get("starts").status, 200)
        # No other alias is what the URL follows.
        self.assertEqual(self.lambda_("alias", "set", "starts", "other", broken).returncode, 0)
        # One that starts takes the first call.
        client.update_function_configuration(FunctionName="starts", Handler="app.handler", Description="mended")
        mended = client.publish_version(FunctionName="starts")["Version"]
        self.assertEqual(self.lambda_("alias", "set", "starts", "live", mended).returncode, 0)
        reply = self.server.invoke("starts", {}, qualifier="live")
        self.assertEqual(reply.json(), mended)
        timing = dict(part.split("=") for part in reply.headers["x-lambda-timing"].split(";"))
        self.assertLess(int(timing["total"]), int(timing["start"]) + int(timing["init"]))
        # AWS's own operation looks at nothing, as on AWS; and what is live by it is no stranger any more.
        client.update_alias(FunctionName="starts", Name="live", FunctionVersion=broken)
        self.assertEqual(self.lambda_("alias", "set", "starts", "live", "1").returncode, 0)
        self.assertEqual(self.lambda_("alias", "set", "starts", "live", broken).returncode, 0)

    def test_an_alias_that_others_made_meanwhile_is_set(self):
        path = "/_lambda/functions/greet/aliases/own"
        reply = self.server.api("PUT", path, {"Description": "no version"})
        self.assertEqual(reply.status, 400, reply)
        self.assertIn("FunctionVersion", reply.json()["message"])
        made = self.server.api("PUT", path, {"FunctionVersion": "1", "Description": "mine"})
        self.addCleanup(self.lambda_, "alias", "delete", "greet", "own")
        self.assertEqual((made.status, made.json()["FunctionVersion"]), (200, "1"))
        moved = self.server.api("PUT", path, {"FunctionVersion": "2"})
        self.assertEqual((moved.json()["FunctionVersion"], moved.json()["Description"]), ("2", "mine"))
        stale = self.server.api("PUT", path, {"FunctionVersion": "3", "RevisionId": made.json()["RevisionId"]})
        self.assertEqual(stale.status, 412, stale)
        self.assertEqual(self.server.api("PUT", "/_lambda/functions/gret/aliases/own", {"FunctionVersion": "1"}).status, 404)

    def test_live_is_not_deleted_unasked(self):
        self.assert_fails(self.lambda_("alias", "delete", "greet", "live"), 2, "-y")
        self.assertEqual(self.lambda_("alias", "delete", "greet", "live", "-y").returncode, 0)

    def test_what_is_wrong_is_told_and_changes_nothing(self):
        for words, code, told in ((["2=90", "3=20"], 2, "add up to 110"), (["2=90"], 2, "no version"), (["nine"], 2, "is no version"),
                                  (["2=1", "9=99"], 5, "has no version 9: it has"), (["9"], 5, "has no version 9: it has")):
            with self.subTest(words=words):
                self.assert_fails(self.lambda_("alias", "set", "greet", "live", *words), code, told)
        self.assert_fails(self.lambda_("alias", "set", "gret", "live", "1"), 5, 'did you mean "greet"')
        self.assertIn("live   3", self.lambda_("alias", "list", "greet").stdout)


if __name__ == "__main__":
    unittest.main()
