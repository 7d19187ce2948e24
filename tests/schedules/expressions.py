"""Random schedule expressions, each with what it means as plain sets, made together: the meaning is never read back from the text.

Day rules are written down here as what a person would check on a calendar."""

import calendar
import datetime
import random
from collections import Counter
from dataclasses import dataclass, field

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def length_of(day):
    return calendar.monthrange(day.year, day.month)[1]


def from_sunday(day):
    return day.isoweekday() % 7


def nearest_weekday(wanted, day):
    """The Monday to Friday of day's month that is nearest to its `wanted`-th; none where the month is shorter."""
    length = length_of(day)
    if wanted > length:
        return None
    candidates = [number for number in range(1, length + 1) if day.replace(day=number).isoweekday() <= 5]
    return min(candidates, key=lambda number: (abs(number - wanted), number))


@dataclass
class Field:
    items: list = field(default_factory=list)  # texts
    numbers: set = field(default_factory=set)
    rules: list = field(default_factory=list)  # of days: called with a date
    features: set = field(default_factory=set)
    croniter: list = field(default_factory=list)  # the items as croniter writes them; None: it cannot

    @property
    def text(self):
        return ",".join(self.items)

    @property
    def open(self):
        return self.items[0][0] in "*?"

    def add(self, text, numbers=(), rule=None, features=(), croniter=""):
        self.items.append(text)
        self.numbers.update(numbers)
        if rule:
            self.rules.append(rule)
        self.features.update(features)
        self.croniter.append(text if croniter == "" else croniter)


@dataclass
class Expression:
    """A cron expression: its fields, and which of them the form has."""
    seconds: Field
    minutes: Field
    hours: Field
    days: Field
    months: Field
    weekdays: Field
    years: Field = None
    form: str = "five"

    @property
    def text(self):
        usual = [self.minutes, self.hours, self.days, self.months, self.weekdays]
        if self.form == "six":
            usual.insert(0, self.seconds)
        if self.form == "aws":
            return "cron(" + " ".join(each.text for each in usual + [self.years]) + ")"
        return " ".join(each.text for each in usual)

    @property
    def fields(self):
        return [each for each in (self.seconds, self.minutes, self.hours, self.days, self.months, self.weekdays, self.years) if each]

    @property
    def features(self):
        found = {f"form: {self.form}"}.union(*(each.features for each in self.fields))
        if len(self.fields) and any(len(each.items) > 1 for each in self.fields):
            found.add("list")
        found.add("hours: open" if self.hours.open else "hours: named")
        if not self.days.open and not self.weekdays.open:
            found.add("days: either of two")
        elif "/" in self.days.items[0] + self.weekdays.items[0]:
            found.add("days: both, one with a step")
        return found

    def names_day(self, day):
        if day.month not in self.months.numbers or (self.years and day.year not in self.years.numbers):
            return False
        by_number = day.day in self.days.numbers or any(rule(day) for rule in self.days.rules)
        by_weekday = from_sunday(day) in self.weekdays.numbers or any(rule(day) for rule in self.weekdays.rules)
        if self.days.open or self.weekdays.open:
            return by_number and by_weekday
        return by_number or by_weekday


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.features = Counter()

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def any_case(self, text):
        return self.random.choice([text.upper(), text.lower(), text.capitalize()])

    # Items that all fields have.
    def plain_item(self, into, first, last, names=None, greatest=None, shift=0):
        """`shift` is what AWS adds to a day of the week; numbers are kept as crontab's."""
        greatest = last if greatest is None else greatest
        low, high = sorted((self.random.randint(first, last), self.random.randint(first, last)))
        count = last - first + 1
        step = self.random.randint(1, count if self.chance(20) else max(1, count // 3))

        def written(number):
            if names and self.chance(50):
                into.features.add("name")
                return self.any_case(names[(number - first) % len(names)])
            return str(number)

        def meant(numbers):
            return [(number - shift) % 7 if greatest == 7 or shift else number for number in numbers]
        kind = self.random.choice(["value", "value", "range", "range/step", "value/step"])
        if kind == "value":
            if greatest > last and self.chance(15):
                into.add(str(greatest), [0], features=["7 is Sunday"])
            else:
                into.add(written(low), meant([low]), features=["value"])
        elif kind == "range":
            if greatest > last and self.chance(25):
                end = self.random.choice(["7", "sun"])
                into.add(f"{low}-{end}" if end == "7" else f"{WEEKDAYS[low]}-{end}", [number % 7 for number in range(low, 8)] if low or end == "7" else [0],
                         features=["range to Sunday"])
            else:
                into.add(f"{written(low)}-{written(high)}", meant(range(low, high + 1)), features=["range"])
        elif kind == "range/step":
            into.add(f"{written(low)}-{written(high)}/{step}", meant(range(low, high + 1, step)), features=["range/step"])
        else:
            into.add(f"{written(low)}/{step}", meant(range(low, last + 1, step)), features=["value/step"])

    def numbers(self, first, last, open_percent, names=None):
        made = Field()
        if self.chance(open_percent):
            if self.chance(60):
                made.add("*", range(first, last + 1), features=["*"])
            else:
                step = self.random.randint(2, last - first + 1)
                made.add(f"*/{step}", range(first, last + 1, step), features=["*/step"])
            if self.chance(5):
                self.plain_item(made, first, last, names)
            return made
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            self.plain_item(made, first, last, names)
        return made

    def days(self):
        if self.chance(45):
            return self.numbers(1, 31, 100)
        made = Field()
        plain = self.chance(60)  # what other implementations have too
        for _ in range(self.random.choice([1, 1, 2, 3])):
            kind = self.random.randrange(6 if plain else 10)
            if kind < 5:
                self.plain_item(made, 1, 31)
            elif kind == 5:
                made.add(self.any_case("L"), rule=lambda day: day.day == length_of(day), features=["L"])
            elif kind == 6:
                before = self.random.randint(1, 30)
                made.add(f"L-{before}", rule=lambda day, before=before: day.day == length_of(day) - before, features=["L-n"], croniter=None)
            elif kind == 7:
                made.add(self.any_case("LW"), rule=lambda day: day.day == nearest_weekday(length_of(day), day), features=["LW"], croniter=None)
            else:
                wanted = self.random.randint(1, 31)
                made.add(f"{wanted}{self.any_case('W')}", rule=lambda day, wanted=wanted: day.day == nearest_weekday(wanted, day), features=["nW"],
                         croniter=None)
        return made

    def weekdays(self, aws=False):
        shift = 1 if aws else 0
        made = Field()
        if self.chance(45):
            if aws or self.chance(80):
                made.add("*", range(7), features=["*"])
            else:
                step = self.random.randint(2, 7)
                made.add(f"*/{step}", range(0, 7, step), features=["*/step"])
            return made
        only_special = self.chance(40)
        plain = not only_special and self.chance(70)
        for _ in range(self.random.choice([1, 1, 2, 3])):
            which = self.random.randrange(7)
            number = which if aws or which or self.chance(70) else 7
            text = self.any_case(WEEKDAYS[which]) if self.chance(50) else str(number + shift)
            kind = 3 if plain else self.random.randrange(2 if only_special else 4)
            if kind == 0:
                nth = self.random.randint(1, 5)
                made.add(f"{text}#{nth}", rule=lambda day, which=which, nth=nth: from_sunday(day) == which and (day.day + 6) // 7 == nth, features=["d#n"],
                         croniter=f"{which}#{nth}")
            elif kind == 1:
                made.add(text + self.any_case("L"), rule=lambda day, which=which: from_sunday(day) == which and day.day + 7 > length_of(day),
                         features=["dL"], croniter=f"l{which}")
            elif aws and self.chance(25):
                made.add("L", [6], features=["AWS's L is Saturday"])
            else:
                self.plain_item(made, shift, 6 + shift, WEEKDAYS, greatest=6 + shift if aws else 7, shift=shift)
        return made

    def question(self, numbers):
        made = Field()
        made.add("?", numbers, features=["?"], croniter="*")
        return made

    def years(self):
        made = Field()
        if self.chance(50):
            made.add("*", range(1970, 2200), features=["*"])
            return made
        for _ in range(self.random.choice([1, 2, 3])):
            low, high = sorted((self.random.randint(2000, 2060), self.random.randint(2000, 2060)))
            step = self.random.randint(1, 5)
            text, numbers = self.random.choice([(f"{low}", [low]), (f"{low}-{high}", range(low, high + 1)),
                                                (f"{low}-{high}/{step}", range(low, high + 1, step)), (f"{low}/{step}", range(low, 2200, step))])
            made.add(text, numbers, features=["year"])
        return made

    def expression(self):
        form = self.random.choice(["five", "five", "five", "six", "six", "aws"])
        zero = Field()
        zero.add("0", [0])
        made = Expression(
            seconds=self.numbers(0, 59, 30) if form == "six" else zero,
            minutes=self.numbers(0, 59, 40), hours=self.numbers(0, 23, 40),
            days=self.days(), months=self.numbers(1, 12, 70, MONTHS),
            weekdays=self.weekdays(aws=form == "aws"), form=form)
        if form == "aws":
            made.years = self.years()
            if self.chance(50):
                made.days = self.question(range(1, 32))
            else:
                made.weekdays = self.question(range(7))
        elif self.chance(10):
            if self.chance(50):
                made.days = self.question(range(1, 32))
            else:
                made.weekdays = self.question(range(7))
        self.features.update(made.features)
        return made

    # A time in the years that both Debian's zones and croniter know well.
    def time(self):
        first = datetime.datetime(1995, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
        last = datetime.datetime(2055, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
        return self.random.randint(int(first), int(last))
