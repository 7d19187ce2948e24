"""Schedules: made, seen and steered by the command line and lambda.toml, and fired by a real server."""

import json
import re
import time
import unittest
from datetime import datetime, timedelta, timezone

from event_server import EventTest

# What it was called with, each in a line of its log.
TELLS = "import json, time\ndef handler(e, c):\n    print('GOT ' + json.dumps(e)); time.sleep(e.get('sleep', 0)); return e\n"
UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d\d:\d\d"


class ScheduleTest(EventTest):
    def function(self, name, source=TELLS):
        self.server.deploy({"app.py": source}, name, "--handler", "app.handler")
        return name

    def schedule(self, *arguments, **more):
        return self.server.cli("schedule", *arguments, **more)

    def shown(self, function, name="default"):
        reply = self.server.api("GET", f"/_lambda/functions/{function}/schedules/{name}")
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def firings(self, function, good, name="default", wait=20):
        """The firings of a schedule, the oldest first, once they are `good`."""
        deadline = time.monotonic() + wait
        while True:
            firings = self.shown(function, name)["firings"][::-1]
            if good(firings):
                return firings
            self.assertLess(time.monotonic(), deadline, firings)
            time.sleep(0.05)

    def names(self, function):
        return {each["name"]: each for each in self.server.api("GET", f"/_lambda/functions/{function}/schedules").json()["schedules"]}


def at(text):
    return datetime.fromisoformat(text)


class Making(ScheduleTest):
    def test_says_what_it_does_and_when(self):
        self.function("greet")
        done = self.schedule("greet", "--cron", "0 * * * *")
        first, *times = done.stdout.splitlines()
        self.assertEqual(first, 'Scheduled function "greet" with cron: 0 * * * *')
        self.assertEqual(len(times), 3)
        now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
        for number, line in enumerate(times):
            self.assertRegex(line, rf"^(Next|    ) +{TIME}$")
            shown = datetime.strptime(line[-26:], "%Y-%m-%d %H:%M:%S %z")
            self.assertIn(shown - now, (timedelta(hours=number + 1), timedelta(hours=number + 2)))

    def test_a_second_one_replaces_it_and_another_name_does_not(self):
        self.function("twice")
        self.schedule("twice", "--cron", "0 * * * *")
        self.assertIn("0 * * * *", self.schedule("twice", "--cron", "5 * * * *").stderr)
        self.schedule("twice", "--cron", "@weekly", "--name", "nightly", "--tz", "America/New_York", "--overlap", "queue", "--data", "{}")
        said = self.schedule("twice", "--cron", "@daily", "--name", "nightly", "--tz", "Europe/Berlin").stderr
        self.assertIn('"nightly" as it was (@weekly, America/New_York, overlap queue, with data)', said)
        known = self.names("twice")
        self.assertEqual({name: each["cron"] for name, each in known.items()}, {"default": "5 * * * *", "nightly": "@daily"})
        self.assertRegex(known["nightly"]["next"], r"T00:00:00\+0[12]:00$")

    def test_every_option_is_kept(self):
        self.function("full")
        self.schedule("full", "--cron", "0 9 * * MON-FRI", "--tz", "America/New_York", "--overlap", "queue", "--misfire", "all", "--jitter", "30s",
                      "--data", '{"a": 1}', "--name", "x", "--from", "2040-01-01", "--until", "2041-12-31")
        shown = self.shown("full", "x")
        self.assertEqual({key: shown[key] for key in ("timezone", "overlap", "misfire", "jitter", "data", "from", "until", "paused", "declared")},
                         {"timezone": "America/New_York", "overlap": "queue", "misfire": "all", "jitter": "30s", "data": '{"a": 1}',
                          "from": "2040-01-01T00:00:00-05:00", "until": "2041-12-31T23:59:59.999-05:00", "paused": False, "declared": False})
        self.assertEqual(shown["next"], "2040-01-02T09:00:00-05:00")
        text = self.schedule("show", "full").stdout
        for part in ("America/New_York", "queue", "all", "30s", '{"a": 1}', "2040-01-02 09:00:00 -05:00"):
            self.assertIn(part, text)
        self.assertEqual(len(re.findall(TIME, text)), 7)  # from, until and the next five

    def test_what_is_wrong_is_said_with_a_remedy_and_nothing_is_changed(self):
        self.function("strict")
        cron = ("--cron", "0 * * * *")
        for arguments, *said in (
                (("--cron", "0 22-2 * * *"), "column 3", "22-23,0-2"), (("--cron", "0 0 * * MNO"), "column 9", "MON"),
                (("--cron", "60 * * * *"), "0 to 59"), (("--cron", ""), "schedule is empty"), (("--cron", "at(2020-01-01T00:00:00)"), "passed"),
                ((*cron, "--tz", "Europe/Berln"), "Europe/Berlin"), ((*cron, "--overlap", "no"), "skip"), ((*cron, "--misfire", "no"), "once"),
                ((*cron, "--jitter", "soon"), "30s"), ((*cron, "--jitter", "25h"), "24 hours"), ((*cron, "--data", "{"), "data"),
                ((*cron, "--from", "tomorrow"), "2026-01-31"), ((*cron, "--from", "2041-01-01", "--until", "2040-01-01"), "until"),
                ((*cron, "--name", "a b"), "letters"), ((*cron, "--name", ""), "--name"), (("--overlap", "skip"), "--cron")):
            self.assert_fails(self.schedule("strict", *arguments, check=False), 2, *said)
        self.assertEqual(self.names("strict"), {})
        self.assert_fails(self.schedule("nobody", *cron, check=False), 5, "nobody")
        self.assert_fails(self.schedule(*cron, check=False), 2, "NAME")
        large = '"' + "x" * 1_048_577 + '"'
        reply = self.server.api("PUT", "/_lambda/functions/strict/schedules/default", {"cron": "@hourly", "data": large})
        self.assertEqual(reply.status, 413, reply)
        reply = self.server.api("PUT", "/_lambda/functions/strict/schedules/default", {"cron": "@hourly", "when": "x"})
        self.assertEqual(reply.status, 400, reply)
        reply = self.server.api("PUT", "/_lambda/functions/strict/schedules/one", {"cron": "@hourly", "name": "two"})
        self.assertEqual(reply.status, 400, reply)
        self.assertIn('the path names the schedule "one" and the body "two"', reply.json()["message"])
        for named in ({}, {"name": None}, {"name": "one"}):
            reply = self.server.api("PUT", "/_lambda/functions/strict/schedules/one", {"cron": "@hourly", **named})
            self.assertEqual((reply.status, reply.json()["name"]), (200, "one"))
        self.assertEqual(self.server.api("DELETE", "/_lambda/functions/strict/schedules/one").status, 204)
        self.assertEqual(self.names("strict"), {})

    def test_the_lists(self):
        self.function("listed")
        self.assertIn("lambda schedule listed --cron", self.schedule("list", "listed").stderr)
        self.schedule("listed", "--cron", "@daily")
        for arguments in (("list",), ("list", "listed"), ("listed",), ()):
            self.assertRegex(self.schedule(*arguments).stdout, rf"(?m)^listed +default +@daily +UTC +{TIME} *$")
        known = json.loads(self.schedule("list", "listed", "-o", "json").stdout)["schedules"]
        self.assertEqual([each["cron"] for each in known], ["@daily"])
        self.assert_fails(self.schedule("list", "nobody", check=False), 5, "nobody")


class Firing(ScheduleTest):
    def test_the_event_is_eventbridges_and_comes_in_time(self):
        self.function("ticks")
        self.schedule("ticks", "--cron", "* * * * * *", "--overlap", "allow")
        fired = self.firings("ticks", lambda firings: sum(each["state"] == "succeeded" for each in firings) >= 3)
        self.schedule("pause", "ticks")
        times = [at(each["time"]) for each in fired]
        self.assertEqual({(after - before).total_seconds() for before, after in zip(times, times[1:])}, {1})
        for firing in fired:
            self.assertEqual(firing["outcome"], "fired")
            self.assertLess(firing["latenessMs"], 500)
        event = self.result(fired[0]["event"])
        self.assertEqual((event["detail-type"], event["source"], event["account"]), ("Scheduled Event", "aws.events", "000000000000"))
        self.assertEqual(event["id"], fired[0]["event"])
        self.assertEqual(at(event["time"]), times[0])
        self.assertEqual(event["resources"], ["arn:aws:events:us-east-1:000000000000:rule/default"])
        text = self.schedule("show", "ticks").stdout
        self.assertRegex(text, rf"(?m)^{TIME} +fired +\d+ ms +succeeded +{UUID} *$")

    def test_its_own_event(self):
        self.function("own")
        self.schedule("own", "--cron", "@every 1s", "--data", '{"at": "<aws.scheduler.scheduled-time>", "name": "x"}')
        fired = self.firings("own", lambda firings: firings and firings[0]["state"] == "succeeded")
        event = self.result(fired[0]["event"])
        self.assertEqual(event["name"], "x")
        self.assertEqual(at(event["at"]), at(fired[0]["time"]).replace(microsecond=0))

    def test_overlap(self):
        self.function("slow")
        for policy in ("skip", "queue", "allow"):
            self.schedule("slow", "--cron", "* * * * * *", "--name", policy, "--overlap", policy, "--data", '{"sleep": 2.5}')
        time.sleep(6)
        fired = {policy: self.firings("slow", lambda firings: len(firings) >= 5, policy) for policy in ("skip", "queue", "allow")}
        for policy in fired:
            self.schedule("delete", "slow", "--name", policy)
        counts = {policy: {outcome: sum(each["outcome"] == outcome for each in firings) for outcome in ("fired", "queued", "skipped", "missed")}
                  for policy, firings in fired.items()}
        self.assertEqual(counts["allow"]["fired"], len(fired["allow"]), counts)
        self.assertGreaterEqual(counts["skip"]["skipped"], 2, counts)
        self.assertGreaterEqual(counts["skip"]["fired"], 2, counts)
        self.assertEqual((counts["skip"]["queued"], counts["queue"]["skipped"]), (0, 0), counts)
        self.assertGreaterEqual(counts["queue"]["queued"], 2, counts)

    def test_a_failure_is_shown(self):
        self.function("fails", "def handler(e, c): raise ValueError('not today')\n")
        self.server.cli("queue", "config", "fails", "--retries", "0")
        self.schedule("fails", "--cron", "@every 1s")
        fired = self.firings("fails", lambda firings: firings and firings[0]["state"] == "dead")
        self.assertEqual(fired[0]["error"], "ValueError: not today")
        self.assertRegex(self.schedule("show", "fails").stdout, "dead: ValueError: not today")
        self.schedule("delete", "fails")

    def test_until_ends_it(self):
        self.function("ends")
        until = (datetime.now(timezone.utc) + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.schedule("ends", "--cron", "* * * * * *", "--until", until, "--overlap", "allow")
        deadline = time.monotonic() + 15
        while (shown := self.shown("ends"))["next"] is not None:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.assertEqual(at(shown["firings"][0]["time"]), at(until.replace("Z", "+00:00")))
        self.assertIn("never again", self.schedule("list", "ends").stdout)

    def test_jitter_calls_later(self):
        self.function("jitters")
        self.schedule("jitters", "--cron", "* * * * * *", "--jitter", "2s", "--overlap", "allow")
        fired = self.firings("jitters", lambda firings: sum(each["state"] == "succeeded" for each in firings) >= 5)
        self.schedule("delete", "jitters")
        late = [(at(each["finished"]) - at(each["time"])).total_seconds() for each in fired if each["finished"]]
        self.assertGreater(max(late), 0.3, late)


class Steering(ScheduleTest):
    def test_pause_and_resume(self):
        self.function("pauses")
        self.schedule("pauses", "--cron", "* * * * * *", "--overlap", "allow", "--misfire", "all")
        self.firings("pauses", lambda firings: firings)
        self.assertIn('Paused the schedule "default" of "pauses"', self.schedule("pause", "pauses").stdout)
        self.assertIn("paused", self.schedule("list", "pauses").stdout)
        before = self.shown("pauses")
        self.assertEqual((before["paused"], before["next"], before["times"]), (True, None, []))
        time.sleep(3)
        self.assertEqual(self.shown("pauses")["firings"], before["firings"])
        resumed = datetime.now(timezone.utc)
        self.schedule("resume", "pauses")
        after = self.firings("pauses", lambda firings: len(firings) > len(before["firings"]))
        gap = [at(each["time"]) for each in after[len(before["firings"]):]]
        self.assertGreaterEqual(gap[0], resumed - timedelta(seconds=1))
        self.schedule("delete", "pauses")

    def test_run_fires_it_now_also_when_paused(self):
        self.function("runs")
        self.schedule("runs", "--cron", "@yearly", "--data", '{"key": "now"}')
        self.schedule("pause", "runs")
        identity = self.schedule("run", "runs").stdout.strip()
        self.assertRegex(identity, f"^{UUID}$")
        self.assertEqual(self.succeeded(identity), {"key": "now"})
        self.assertEqual(self.shown("runs")["firings"][0]["event"], identity)

    def test_which_one_is_meant(self):
        self.function("several")
        self.assert_fails(self.schedule("show", "several", check=False), 5, "lambda schedule several --cron")
        self.schedule("several", "--cron", "@daily", "--name", "one")
        self.assertIn("one", self.schedule("show", "several").stdout)
        self.schedule("several", "--cron", "@daily", "--name", "two")
        self.assert_fails(self.schedule("delete", "several", check=False), 2, "one, two", "--name")
        self.assert_fails(self.schedule("pause", "several", "--name", "three", check=False), 5, "three", "one, two")
        self.assertIn('"two"', self.schedule("delete", "several", "--name", "two").stdout)
        self.assertEqual(list(self.names("several")), ["one"])

    def test_they_go_with_their_function(self):
        self.function("gone")
        self.schedule("gone", "--cron", "* * * * * *")
        self.server.cli("delete", "gone", "--yes")
        self.assertNotIn("gone", self.schedule("list").stdout)
        self.function("gone")
        self.assertEqual(self.names("gone"), {})
        time.sleep(1.5)
        self.assertEqual(self.depth("gone")["waiting"], 0)

    def test_a_deploy_leaves_them_alone_and_they_follow_live(self):
        self.function("moves", "def handler(e, c): return 1\n")
        self.schedule("moves", "--cron", "@yearly")
        self.function("moves", "def handler(e, c): return 2\n")
        self.assertEqual(self.succeeded(self.schedule("run", "moves").stdout.strip()), 2)


class Restarts(ScheduleTest):
    def test_they_survive_a_restart_and_what_was_missed_goes_by_the_policy(self):
        self.function("kept")
        for policy in ("skip", "once", "all"):
            self.schedule("kept", "--cron", "* * * * * *", "--name", policy, "--misfire", policy, "--overlap", "allow")
            self.firings("kept", lambda firings: firings, policy)
        self.server.kill()
        # As if it had been down for ten minutes.
        import sqlite3
        database = sqlite3.connect(self.server.data / "lambda.db")
        with database:
            database.execute("DELETE FROM firings")
            database.execute("UPDATE schedules SET decided = decided - 600000")
        database.close()
        self.server.start()
        for policy in ("skip", "once", "all"):
            self.firings("kept", lambda firings: len(firings) >= 10, policy)
            self.schedule("pause", "kept", "--name", policy)
        database = sqlite3.connect(self.server.data / "lambda.db")
        rows = database.execute("SELECT s.name, f.time, f.outcome, f.count, f.decided FROM firings f JOIN schedules s ON s.id = f.schedule "
                                "ORDER BY f.time").fetchall()
        # The newest hundred firings of each are kept; how many were fired, their events say.
        fired = dict(database.execute("SELECT json_extract(CAST(p.payload AS TEXT), '$.resources[0]'), count(*) FROM events e "
                                      "JOIN event_payloads p ON p.seq = e.seq GROUP BY 1").fetchall())
        counts = {policy: fired.get(f"arn:aws:events:us-east-1:000000000000:rule/{policy}", 0) for policy in ("skip", "once", "all")}
        late = {policy: [row[2:4] for row in rows if row[0] == policy and row[4] - row[1] > 60_000] for policy in ("skip", "once", "all")}
        self.assertEqual([outcome for outcome, _ in late["skip"]], [3])
        self.assertGreater(late["skip"][0][1], 500)
        self.assertEqual([outcome for outcome, _ in late["once"]], [3, 0])
        self.assertNotIn(3, [outcome for outcome, _ in late["all"]])
        database.close()
        self.assertGreaterEqual(counts["all"] - counts["once"], 500, counts)
        self.assertGreaterEqual(counts["all"], 600, counts)


class Declared(ScheduleTest):
    CODE = {"app.py": TELLS}

    def manifest(self, *schedules):
        return {**self.CODE, "lambda.toml": 'name = "declared"\nhandler = "app.handler"\n' + "".join(f"[[schedule]]\n{each}\n" for each in schedules)}

    def deploy(self, files, check=True):
        folder = self.server.folder(files)
        return self.server.cli("deploy", str(folder), check=check)

    def test_lambda_toml_declares_the_whole_list(self):
        self.deploy(self.manifest('cron = "@daily"', 'name = "often"\ncron = "@every 90s"\ntimezone = "Europe/Berlin"\njitter = 5\noverlap = "queue"\n'
                                  'misfire = "skip"\nfrom = 2030-01-01\nuntil = "2031-01-01"\ndata = { name = "x", list = [1, 2] }'))
        known = self.names("declared")
        self.assertEqual(set(known), {"default", "often"})
        often = known["often"]
        # Lists tell how large the data is; what it is, the schedule itself.
        self.assertNotIn("data", often)
        data = json.loads(self.server.cli("schedule", "show", "declared", "--name", "often", "-o", "json").stdout)["data"]
        self.assertEqual((json.loads(data), len(data)), ({"name": "x", "list": [1, 2]}, often["dataBytes"]))
        self.assertEqual([often[key] for key in ("jitter", "overlap", "misfire", "from", "until", "declared")],
                         ["5s", "queue", "skip", "2030-01-01T00:00:00+01:00", "2031-01-01T23:59:59.999+01:00", True])
        self.schedule("declared", "--cron", "@hourly", "--name", "mine")
        self.schedule("pause", "declared", "--name", "often")
        self.deploy(self.manifest('name = "often"\ncron = "@every 80s"'))
        known = self.names("declared")
        self.assertEqual(set(known), {"often", "mine"})
        self.assertEqual((known["often"]["cron"], known["often"]["paused"]), ("@every 80s", True))
        self.deploy(self.manifest())
        self.assertEqual(set(self.names("declared")), {"mine"})

    def test_a_deploy_says_what_became_of_which(self):
        def said(*schedules):
            return re.findall(r'^Schedule .*$', self.deploy(self.manifest(*schedules)).stderr, re.MULTILINE)
        self.deploy(self.manifest())
        for name in self.names("declared"):
            self.schedule("delete", "declared", "--name", name)
        self.schedule("declared", "--cron", "@hourly", "--name", "mine")
        daily = 'cron = "@daily"'
        time = r"\d{4}-\d\d-\d\d 00:00:00 \+00:00"
        [created, ended] = said(daily, 'name = "ended"\ncron = "at(2020-01-01T00:00:00)"')
        self.assertRegex(created, rf'\ASchedule "default" of "declared" created; next: {time}\Z')
        self.assertEqual(ended, 'Schedule "ended" of "declared" created; next: never again')
        changes = said(daily + '\ndata = { a = 1 }', 'name = "mine"\n' + daily)
        self.assertEqual([line.split("; ")[0] for line in changes],
                         [f'Schedule "{name}" of "declared" {change}' for name, change in (("default", "changed"), ("ended", "removed"), ("mine", "changed"))])
        self.assertEqual(changes[1], 'Schedule "ended" of "declared" removed')
        self.assertEqual(said(daily + '\ndata = { a = 1 }', 'name = "mine"\n' + daily), [])
        self.assertEqual([line.split()[-1] for line in said()], ["removed", "removed"])

    def test_one_whose_time_has_passed_is_no_error(self):
        self.deploy(self.manifest())
        for name in self.names("declared"):
            self.schedule("delete", "declared", "--name", name)
        self.deploy(self.manifest('cron = "at(2020-01-01T00:00:00)"', 'name = "ended"\ncron = "@daily"\nuntil = 2020-12-31'))
        self.assertEqual({name: each["next"] for name, each in self.names("declared").items()}, {"default": None, "ended": None})
        self.deploy(self.manifest('cron = "at(2020-01-01T00:00:00)"'))
        self.assertEqual(list(self.names("declared")), ["default"])
        self.deploy(self.manifest())

    def test_a_wrong_one_is_said_before_anything_is_packed(self):
        versions = self.server.api("GET", "/_lambda/functions").json()
        for schedule, *said in (('cron = "0 22-2 * * *"', "column 3", "22-23,0-2"), ('cron = "@daily"\ntimezone = "Europe/Berln"', "Europe/Berlin"),
                                ('cron = "@daily"\noverlap = "no"', "skip, allow or queue"), ('cron = "@daily"\nmisfire = 3', "line", "text"),
                                ('corn = "@daily"', "cron"), ('name = "x"', "needs an expression"), ('cron = "@daily"\n[[schedule]]\ncron = "@hourly"', "two"),
                                ('cron = "@daily"\ndata = "{"', "data")):
            done = self.deploy(self.manifest(schedule), check=False)
            self.assert_fails(done, 2, "lambda.toml", *said)
            self.assertNotIn("Packaging", done.stderr)
        self.assertEqual(self.server.api("GET", "/_lambda/functions").json(), versions)


if __name__ == "__main__":
    unittest.main()
