"""What croniter can be asked, and where it is known to answer otherwise. A rule says for which expressions, and no more; those are
held against the clock on the wall alone."""


def as_croniter(expression):
    """The expression in croniter's words, or None: it has seconds last, l5 for 5L, no W, no L-3, and no years."""
    fields = [expression.minutes, expression.hours, expression.days, expression.months, expression.weekdays]
    if expression.form == "six":
        fields.append(expression.seconds)
    if expression.form == "aws" or any(None in each.croniter for each in fields):
        return None
    return " ".join(",".join(each.croniter) for each in fields)


def restricted(field):
    return not field.open


def seems_whole(field, count):
    """croniter counts entries, and L is one."""
    return len(field.numbers) + any(item.upper() == "L" for item in field.items) >= count


def step_leaves_a_field_open(expression):
    """As Vixie's cron, we take a field that begins with * for open, */2 as well: then both fields of days must agree. croniter takes
    */2 for restricted, so that either will do."""
    days, weekdays = expression.days, expression.weekdays
    return any(field.open and field.items != ["*"] and field.items != ["?"] for field in (days, weekdays)) and \
        days.items not in (["*"], ["?"]) and weekdays.items not in (["*"], ["?"])


def all_numbers_are_not_a_star(expression):
    """1-31 names every day, and is restricted: with a day of the week beside it, either will do. croniter makes a * of it, and
    of any 31 entries in the day of the month, L being one."""
    days, weekdays = expression.days, expression.weekdays
    if seems_whole(days, 31) and len(days.numbers) < 31:  # 2-31,L: wrong by itself
        return True
    return restricted(days) and restricted(weekdays) and (seems_whole(days, 31) or seems_whole(weekdays, 7))


def weekday_step_ends_on_saturday(expression):
    """1/2 is MON, WED, FRI: the week ends with 6. croniter goes on to 7, Sunday."""
    for item in expression.weekdays.items:
        first, slash, step = item.partition("/")
        if slash and "-" not in first and first != "*":
            number = int(first) if first.isdigit() else ["sun", "mon", "tue", "wed", "thu", "fri", "sat"].index(first.lower())
            if (7 - number) % int(step) == 0:
                return True
    return False


def nth_weekday_beside_a_day(expression):
    """13 and FRI#3: either will do. croniter forgets the day of the month when the other field has # or L."""
    return restricted(expression.days) and bool(expression.weekdays.rules)


def nth_weekday_beside_a_weekday(expression):
    """MON,FRI#3 is refused by croniter."""
    return bool(expression.weekdays.rules) and bool(expression.weekdays.numbers)


SHORTEST = {month: 31 for month in range(1, 13)} | {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}


def day_that_a_month_lacks(expression):
    """1,31 after 14 February is 1 March. croniter looks for a 31st first, which February has not, and goes on from 3 March.
    So it does for 31,L."""
    numbers = expression.days.numbers
    shortest = min(SHORTEST[month] for month in expression.months.numbers)
    others = bool(expression.days.rules) or any(number <= shortest for number in numbers)
    return len(numbers) < 31 and others and any(number > shortest for number in numbers)


def sunday_as_7_beside_seconds(expression):
    """7 is Sunday. In six fields croniter takes it for an eighth day of the week."""
    return expression.form == "six" and any("7" in item or item.lower().endswith("-sun") for item in expression.weekdays.items)


RULES = [step_leaves_a_field_open, all_numbers_are_not_a_star, weekday_step_ends_on_saturday, nth_weekday_beside_a_day,
         nth_weekday_beside_a_weekday, day_that_a_month_lacks, sunday_as_7_beside_seconds]
