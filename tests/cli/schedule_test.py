"""`lambda schedule` against answers that a real server gives seldom: what cannot fire, what was missed, a server that fails."""

import json
import unittest

from command_line import KEY, CommandLineTest, ScriptedServer, answer_json

SCHEDULE = {"function": "greet", "name": "default", "cron": "0 * * * *", "timezone": "UTC", "overlap": "skip", "misfire": "once", "jitter": "0s",
            "dataBytes": None, "data": None, "from": None, "until": None, "declared": False, "paused": False, "queued": 0,
            "next": "2026-01-02T04:00:00+00:00", "problem": "", "times": [], "firings": [], "replaced": None}
FIRING = {"time": "2026-01-02T03:00:00+00:00", "outcome": "fired", "count": 1, "latenessMs": 3, "event": "an-id", "state": "succeeded",
          "finished": "2026-01-02T03:00:01+00:00", "error": ""}


class Schedules(CommandLineTest):
    def schedule(self, answer, *arguments):
        """What the command said to that answer, and the requests that it made."""
        with ScriptedServer(answer if callable(answer) else lambda _: answer_json(answer)) as server:
            done = self.run_lambda("schedule", *arguments, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        return done, server.received

    def test_what_is_sent_is_what_was_said(self):
        done, (sent,) = self.schedule(SCHEDULE, "greet", "--cron", "0 * * * *", "--tz", "Europe/Berlin", "--overlap", "queue", "--name", "a.b")
        self.assert_ends(done, 0)
        self.assertEqual((sent.method, sent.path), ("PUT", "/_lambda/functions/greet/schedules/a.b"))
        self.assertEqual(json.loads(sent.body), {"cron": "0 * * * *", "timezone": "Europe/Berlin", "overlap": "queue"})

    def test_the_list_says_what_does_not_fire(self):
        schedules = [{**SCHEDULE, "name": "gone", "next": None}, {**SCHEDULE, "name": "still", "paused": True, "next": None},
                     {**SCHEDULE, "name": "odd", "next": None, "problem": 'there is no time zone "Mars/Base"'}]
        done, _ = self.schedule({"schedules": schedules}, "list")
        self.assert_ends(done, 0)
        rows = {line.split()[1]: line for line in done.stdout.splitlines()[1:]}
        self.assertIn("never again", rows["gone"])
        self.assertTrue(rows["still"].endswith("paused"))
        self.assertIn('cannot fire: there is no time zone "Mars/Base"', rows["odd"])

    def test_no_schedules_and_how_to_make_one(self):
        done, _ = self.schedule({"schedules": []}, "list", "greet")
        self.assert_ends(done, 0, 'No schedules of "greet"', "lambda schedule greet --cron")
        self.assertEqual(done.stdout, "")

    def test_firings_that_were_late_missed_or_failed(self):
        firings = [{**FIRING, "latenessMs": 61_500}, {**FIRING, "outcome": "missed", "count": 17, "latenessMs": None, "event": "", "state": ""},
                   {**FIRING, "state": "dead", "error": "ValueError: " + "no " * 100}]
        done, _ = self.schedule({**SCHEDULE, "firings": firings}, "show", "greet", "--name", "default")
        self.assert_ends(done, 0)
        for said in ("61.5 s", "missed (17)", "dead: ValueError: no no"):
            self.assertIn(said, done.stdout)
        self.assertLess(max(map(len, done.stdout.splitlines())), 200, "a long error is shortened")

    def test_one_of_several_is_chosen_by_name(self):
        several = {"schedules": [{**SCHEDULE, "name": "hourly"}, {**SCHEDULE, "name": "nightly"}]}
        done, sent = self.schedule(several, "run", "greet")
        self.assert_ends(done, 2, "several schedules", "--name", "nightly")
        self.assertEqual([each.method for each in sent], ["GET"])

    def test_errors_of_the_server_have_their_exit_codes(self):
        for status, code in ((400, 2), (403, 4), (404, 5)):
            done, _ = self.schedule(lambda _, status=status: answer_json({"message": "said by the server"}, status), "greet", "--cron", "@hourly")
            self.assertEqual(done.returncode, code, done.stderr)
        done, _ = self.schedule(lambda _: answer_json({"message": "the disk is full"}, 503), "greet", "--cron", "@hourly")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the disk is full", done.stderr)

    def test_usage(self):
        for arguments, said in ((("--cron", "@daily"), "NAME"), (("greet", "--overlap", "skip"), "--cron"),
                                (("show",), "NAME"), (("greet", "--cron", "@daily", "--no-such"), "--no-such")):
            done, sent = self.schedule(SCHEDULE, *arguments)
            self.assert_ends(done, 2, said)
            self.assertEqual(sent, [])

    def test_what_is_replaced_is_told_whole(self):
        before = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "overlap": "queue", "misfire": "all", "jitter": "5m", "dataBytes": 2,
                  "from": "2026-01-31T00:00:00+01:00", "until": None}
        done, _ = self.schedule({**SCHEDULE, "replaced": before}, "greet", "--cron", "0 * * * *")
        self.assert_ends(done, 0, 'It replaces the schedule "default" as it was (30 2 * * *, Europe/Berlin, overlap queue, misfire all, jitter 5m, '
                                  "from 2026-01-31 00:00:00 +01:00, with data); --name makes another.")
        done, _ = self.schedule({**SCHEDULE, "timezone": "Europe/Berlin", "replaced": {**before, "timezone": "UTC"}}, "greet", "--cron", "0 * * * *")
        self.assert_ends(done, 0, "(30 2 * * *, UTC, overlap queue")
        same = {name: SCHEDULE[name] for name in before}
        done, _ = self.schedule({**SCHEDULE, "replaced": {**same, "cron": "@daily"}}, "greet", "--cron", "0 * * * *")
        self.assert_ends(done, 0, 'as it was (@daily); --name')

    def test_what_waits_when_it_is_deleted_is_told(self):
        def answer(firings):
            return lambda sent: (204, {}, b"") if sent.method == "DELETE" else answer_json({**SCHEDULE, "firings": firings})

        waiting = {**FIRING, "state": "waiting"}
        for firings, said in (([waiting, FIRING], "Of its newest firings one is in the queue yet"), ([waiting, waiting], "firings 2 are in the queue yet")):
            done, _ = self.schedule(answer(firings), "delete", "greet", "--name", "default")
            self.assert_ends(done, 0, said, "lambda queue list greet --state waiting")
            self.assertEqual(done.stdout, 'Deleted the schedule "default" of "greet".\n')
        done, _ = self.schedule(answer([FIRING]), "delete", "greet", "--name", "default")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_an_option_is_no_value(self):
        for arguments, said in ((("--name", "--tz", "UTC"), "--name needs a value, and --tz looks like an option; if it is meant, write --name=--tz"),
                                (("--tz", "--name", "x"), "--tz needs a value"), (("--from", "--until"), "--from needs a value"),
                                (("--jitter", "--name", "x"), "--jitter needs a value")):
            done, sent = self.schedule(SCHEDULE, "greet", "--cron", "@daily", *arguments)
            self.assert_ends(done, 2, said)
            self.assertEqual(sent, [])
        done, sent = self.schedule(SCHEDULE, "show", "greet", "--name", "--output")
        self.assert_ends(done, 2, "--name needs a value, and --output looks like an option")
        done, (sent,) = self.schedule(SCHEDULE, "greet", "--cron", "@daily", "--name=--tz")
        self.assertEqual(sent.path, "/_lambda/functions/greet/schedules/--tz")

    def test_no_command_leaves_a_word_to_the_one_above(self):
        for command in ("show", "pause", "resume", "run", "delete"):
            self.refused(command, "greet", "once", said=f'`lambda schedule {command}` does not take "once"; did you mean --name once?')
            self.refused(command, "greet", "--name", "a", "once", said=f'`lambda schedule {command}` does not take "once"')
            self.refused(command, "greet", "--", "once", said=f'`lambda schedule {command}` does not take "once"')
        self.refused("list", "greet", "once", said='`lambda schedule list` does not take "once": it takes one NAME')

    def test_no_command_leaves_an_option_to_the_one_above(self):
        for command in ("list", "show", "pause", "resume", "run", "delete"):
            for option in ("--cron", "--tz", "--data"):
                self.refused(command, "greet", option, "@hourly", said=f"`lambda schedule {command}` has no option {option}")

    def test_one_command_at_a_time(self):
        self.refused("delete", "greet", "list", said='"list"')
        for command in ("list", "show", "pause", "resume", "run", "delete"):
            self.refused("greet", command, "once", said=f"write lambda schedule {command} greet")

    def test_an_expression_without_quotes(self):
        for cron in ("0 9 * * *", "*/5 * * * *", "30 2 * * MON-FRI"):
            self.refused("greet", "--cron", *cron.split(), said=f'quote it, as in --cron "{cron}"')
            self.refused("--cron", *cron.split(), "greet", said=f'quote it, as in --cron "{cron}"')
        self.refused("greet", "--cron", "30", "2", "app.py", "app.py", "app.py", said='quote it, as in --cron "0 9 * * *"')
        self.refused("greet", "--cron", "every", "5", "minutes", said='quote it, as in --cron "rate(5 minutes)"')
        self.refused("greet", "nightly", "--cron", "0 9 * * *", said='does not take "nightly"; did you mean --name nightly?')

    def test_an_expression_without_its_option(self):
        for words in (["0 9 * * *"], ["0", "9", "*", "*", "*"]):
            self.refused("greet", *words, said='the schedule is an option: did you mean --cron "0 9 * * *"?')
        self.refused("greet", "every", "5", "minutes", said='did you mean --cron "rate(5 minutes)"?')

    def test_options_that_other_tools_have(self):
        for option in ("--rate", "--every"):
            self.refused("greet", option, "10 minutes", said=f'no option {option}; did you mean --cron "rate(10 minutes)"?')
            self.refused("greet", f"{option}=30s", said='--cron "@every 30s"')

    def test_a_command_that_is_none(self):
        self.refused("pasue", "greet", said='`lambda schedule` has no command "pasue"; did you mean "pause"?')
        self.refused("pasue", "greet", "--name", "x", said='has no command "pasue"; did you mean "pause"?')
        self.refused("greet", "pasue", said="did you mean `lambda schedule pause greet`?")
        self.refused("frob", "greet", said='has no command "frob" (there are list, show, pause, resume, run, delete)')

    def test_an_event_is_json(self):
        self.refused("greet", "--cron", "@hourly", "--data", "{", said="""Quote it for the shell: --data '{"name": "World"}'""")
        self.refused("greet", "--cron", "@hourly", "--data", "", said="the event is empty: leave --data away")

    def test_a_name_that_is_no_function_may_be_meant_for_a_command(self):
        for arguments, said in ((["pasue"], "If a command was meant: lambda schedule pause"), (["frob"], "The commands of `lambda schedule` are list")):
            done, _ = self.schedule(lambda _: answer_json({"message": "there is none"}, 404), *arguments)
            self.assert_ends(done, 5, "lambda: there is none\n", said)
        done, _ = self.schedule(lambda _: answer_json({"message": "there is none"}, 404), "list", "pasue")
        self.assertNotIn("command", done.stderr)

    def refused(self, *arguments, said):
        with self.subTest(arguments=arguments):
            done, sent = self.schedule({"schedules": [SCHEDULE]}, *arguments)
            self.assert_ends(done, 2, said)
            self.assertEqual((done.stdout, sent), ("", []))


if __name__ == "__main__":
    unittest.main()
