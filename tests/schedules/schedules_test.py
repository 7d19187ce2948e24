"""Schedule expressions against two other opinions: croniter (an independent implementation) and a clock on the wall.

The seed is fixed and printed; SCHEDULE_SEED chooses another."""

import datetime
import json
import os
import random
import re
import subprocess
import unittest
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterBadDateError

import croniter_rules
from expressions import Generator
from wall_clock import DAY, WallClock, on_the_wall

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("LAMBDA_BIN", ROOT / "build/release/bin")) / "lambda-schedule-probe"
SEED = int(os.environ.get("SCHEDULE_SEED", "20260102"))
EXPRESSIONS = 12000
MORE_FOR_CRONITER = 14000  # which is quick, and lacks much of the syntax
FIRINGS = 4
HORIZON = 3 * 366 * DAY
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo"]
EPOCH = datetime.datetime(1970, 1, 1)


def ask(rows):
    """[(expression, zone, after, count)] → what the probe answers to each."""
    lines = "".join(f"{text}\t{zone}\t{after}\t{count}\n" for text, zone, after, count in rows)
    done = subprocess.run([PROBE], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def print_counts(title, counts):
    print(f"{title}: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())), flush=True)


class Case:
    def __init__(self, generator, changes):
        self.expression = generator.expression()
        self.zone = generator.random.choice(ZONES)
        self.after = generator.time()
        if changes[self.zone] and generator.chance(40):  # shortly before a clock change
            self.after = generator.random.choice(changes[self.zone]) - generator.random.randrange(2 * DAY) + DAY // 4
        self.answer = None

    @property
    def row(self):
        return (self.expression.text, self.zone, self.after, FIRINGS)

    def __str__(self):
        return f"{self.expression.text!r} in {self.zone} after {self.after}"


def clock_changes(zone):
    """Moments at which the clock changes, to the quarter of an hour."""
    info, found = ZoneInfo(zone), []
    moment = int(datetime.datetime(1995, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
    for moment in range(moment, moment + 60 * 365 * DAY, DAY):
        def offset(at):
            return on_the_wall(at, info) - at
        if offset(moment) != offset(moment + DAY):
            found.append(next(at for at in range(moment, moment + DAY + 900, 900) if offset(at) != offset(moment)))
    return found


class RandomExpressions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"\nseed {SEED}: {EXPRESSIONS} expressions, and {MORE_FOR_CRONITER} for croniter alone")
        generator = Generator(SEED)
        changes = {zone: clock_changes(zone) for zone in ZONES}
        cls.cases = [Case(generator, changes) for _ in range(EXPRESSIONS)]
        cls.features = generator.features.copy()
        cls.more_cases = [Case(generator, changes) for _ in range(MORE_FOR_CRONITER)]
        for case, answer in zip(cls.cases, ask([case.row for case in cls.cases])):
            case.answer = answer
        print_counts("features", cls.features)

    def fail_with(self, differences):
        if differences:
            self.fail(f"{len(differences)} differ:\n" + "\n".join(differences[:20]))

    def test_cover_the_syntax(self):
        for feature in ["*", "*/step", "value", "range", "range/step", "value/step", "list", "name", "7 is Sunday", "range to Sunday", "?", "L", "L-n",
                        "LW", "nW", "d#n", "dL", "AWS's L is Saturday", "year", "form: five", "form: six", "form: aws", "hours: open", "hours: named",
                        "days: either of two", "days: both, one with a step"]:
            self.assertGreaterEqual(self.features[feature], 50, feature)

    def test_fire_as_the_clock_on_the_wall_says(self):
        differences, counts = [], Counter()
        for case in self.cases:
            if "error" in case.answer:
                self.assertIn("never fire", case.answer["error"], str(case))
                differences += self.fires_after_all(case)
                counts["never fires"] += 1
                continue
            zone = ZoneInfo(case.zone)
            found, end = WallClock(case.expression, zone).firings(case.after, FIRINGS, HORIZON)
            ours = [time // 1000 for time in case.answer["times"]]
            counts["clock changes on the way"] += on_the_wall(case.after - DAY, zone) - (case.after - DAY) != on_the_wall(end, zone) - end
            counts["compared"] += 1
            counts["firings"] += len(found)
            if found != [time for time in ours if time < end][:FIRINGS]:
                differences.append(f"{case}: we say {ours}, the clock {found} until {end}")
            elif len(found) < FIRINGS:
                counts["rare: compared as far as the horizon"] += 1
        print_counts("clock on the wall", counts)
        self.fail_with(differences)

    def fires_after_all(self, case):
        years = sorted(case.expression.years.numbers) if case.expression.years else range(1996, 2037)
        first, last = datetime.date(years[0], 1, 1), datetime.date(min(years[-1], years[0] + 40), 12, 31)
        for number in range((last - first).days + 1):
            if case.expression.names_day(first + datetime.timedelta(days=number)):
                return [f"{case}: we say never, but {first + datetime.timedelta(days=number)} is named"]
        return []

    def test_agree_with_croniter(self):
        """In UTC: what becomes of local times where a clock changes is for the clock on the wall."""
        differences, counts, comparable = [], Counter(), []
        for case in self.cases + self.more_cases:
            text = croniter_rules.as_croniter(case.expression)
            known = [rule.__name__ for rule in croniter_rules.RULES if rule(case.expression)]
            if text is None:
                counts["croniter lacks the syntax"] += 1
            elif known:
                counts[f"rule {known[0]}"] += 1
            else:
                comparable.append((case, text))
        rows = [(case.expression.text, "UTC", case.after, FIRINGS) for case, _ in comparable]
        for (case, text), answer in zip(comparable, ask(rows)):
            if "error" in answer:
                self.assertIn("never fire", answer["error"], str(case))
                counts["never fires"] += 1
                continue
            try:
                theirs = croniter(text, EPOCH + datetime.timedelta(seconds=case.after))
                expected = [int((theirs.get_next(datetime.datetime) - EPOCH).total_seconds()) for _ in range(FIRINGS)]
            except CroniterBadDateError:
                counts["rare: croniter gives up"] += 1
                continue
            counts["compared"] += 1
            ours = [time // 1000 for time in answer["times"]]
            if ours != expected:
                differences.append(f"{case}: as {text!r} croniter says {expected}, we {ours}")
        print_counts("croniter", counts)
        self.fail_with(differences)
        self.assertGreater(counts["compared"], 10000)


class Shorthands(unittest.TestCase):
    def test_agree_with_croniter(self):
        numbers = random.Random(SEED)
        rows = [(f"@{name}", "UTC", numbers.randrange(2**31), FIRINGS) for name in
                ("hourly", "daily", "midnight", "weekly", "monthly", "yearly", "annually") for _ in range(100)]
        for row, answer in zip(rows, ask(rows)):
            theirs = croniter(row[0], EPOCH + datetime.timedelta(seconds=row[2]))
            expected = [int((theirs.get_next(datetime.datetime) - EPOCH).total_seconds()) * 1000 for _ in range(FIRINGS)]
            self.assertEqual(answer.get("times"), expected, row)
        print_counts("shorthands", Counter(row[0] for row in rows))


class Intervals(unittest.TestCase):
    def test_count_from_their_anchor(self):
        numbers = random.Random(SEED)
        rows, lengths, counts = [], [], Counter()
        units = {"h": 3600000, "m": 60000, "s": 1000, "ms": 1}
        for _ in range(1000):
            chosen = [unit for unit in units if numbers.random() < 0.5] or ["s"]
            parts = [(numbers.randint(1, 999), unit) for unit in chosen]
            length = sum(number * units[unit] for number, unit in parts)
            if length < 1000:
                continue
            rows.append(("@every " + "".join(f"{number}{unit}" for number, unit in parts), "Europe/Berlin", numbers.randrange(2**31), FIRINGS))
            lengths.append(length)
            counts["@every"] += 1
        for _ in range(500):
            number, (unit, seconds) = numbers.randint(1, 500), numbers.choice([("minute", 60), ("hour", 3600), ("day", 86400)])
            rows.append((f"rate({number} {unit}{'' if number == 1 else 's'})", "Europe/Berlin", numbers.randrange(2**31), FIRINGS))
            lengths.append(number * seconds * 1000)
            counts["rate"] += 1
        for row, length, answer in zip(rows, lengths, ask(rows)):
            self.assertEqual(answer.get("times"), [row[2] * 1000 + length * nth for nth in range(1, FIRINGS + 1)], row)
        print_counts("intervals", counts)


class Moments(unittest.TestCase):
    def test_fire_once(self):
        generator = Generator(SEED)
        rows, expected = [], []
        for _ in range(1000):
            zone = ZoneInfo(generator.random.choice(ZONES))
            local = datetime.datetime.fromtimestamp(generator.time(), zone)
            rows.append((f"at({local:%Y-%m-%dT%H:%M:%S})", zone.key, 0, FIRINGS))
            expected.append([int(local.replace(fold=0).timestamp()) * 1000])
        for row, times, answer in zip(rows, expected, ask(rows)):
            self.assertEqual(answer.get("times"), times, row)
        print_counts("moments", Counter(at=len(rows)))


class Documentation(unittest.TestCase):
    page = (ROOT / "docs/schedules.md").read_text()

    def test_explains_every_rule_about_croniter(self):
        for rule in croniter_rules.RULES:
            self.assertIn(f"`{rule.__name__}`", self.page)

    def test_its_expressions_are_accepted_and_its_wrong_ones_refused(self):
        rows = re.findall(r"^\| `([^`]+)` \| (.+?) \|$", self.page.partition("\n## Expressions\n")[2], re.MULTILINE)
        self.assertGreater(len(rows), 40)
        for (text, meaning), answer in zip(rows, ask([(text, "UTC", 0, 1) for text, _ in rows])):
            self.assertEqual("error" in answer, meaning.startswith("refused"), f"{text}: {meaning}: {answer}")


if __name__ == "__main__":
    unittest.main()
