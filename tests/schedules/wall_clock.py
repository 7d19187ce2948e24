"""When an expression fires, found by watching a clock on a wall: real time goes by in quarters of an hour, and each time the clock of
the zone is looked at. Slow, and too simple to be wrong in the same way as a calculation."""

import datetime
from functools import lru_cache

QUARTER = 900  # seconds; clocks of our time change at, and by, whole quarters of an hour
DAY = 86400
EPOCH = datetime.datetime(1970, 1, 1)


def on_the_wall(moment, zone):
    """Local time as seconds since 1970 on that clock."""
    local = datetime.datetime.fromtimestamp(moment, zone)
    return moment + int(local.utcoffset().total_seconds())


class WallClock:
    def __init__(self, expression, zone):
        self.expression = expression
        self.zone = zone
        self.seconds = sorted(expression.seconds.numbers)
        self.names_day = lru_cache(None)(lambda day: expression.names_day((EPOCH + datetime.timedelta(days=day)).date()))

    def named(self, begin, end):
        """Named local times in [begin, end)."""
        first_minute = begin - begin % 60
        for minute in range(first_minute, end, 60):
            in_day = minute % DAY
            if not self.names_day(minute // DAY) or in_day // 3600 not in self.expression.hours.numbers:
                continue
            if in_day // 60 % 60 in self.expression.minutes.numbers:
                for second in self.seconds:
                    if begin <= minute + second < end:
                        yield minute + second

    def firings(self, after, count, horizon):
        """The first `count` after `after`, as far as `horizon` seconds on; and where the watch ended."""
        found = []
        moment = after - after % QUARTER
        if on_the_wall(moment, self.zone) - moment != on_the_wall(moment - 2 * DAY, self.zone) - (moment - 2 * DAY):
            moment -= 2 * DAY  # what the clock has shown before matters
        shown = on_the_wall(moment, self.zone)  # everything before has been on the clock
        by_real_time = self.expression.hours.open
        while moment < after + horizon and len(found) < count:
            local = on_the_wall(moment, self.zone)
            day = min(local, shown) // DAY
            if not any(self.names_day(day + ahead) for ahead in range(4)):
                moment += DAY
                shown = max(shown, on_the_wall(moment, self.zone))
                continue
            times = set()
            if by_real_time:
                times.update(moment + time - local for time in self.named(local, local + QUARTER))
            else:
                begin = max(shown, local)
                if any(True for _ in self.named(shown, local)):
                    times.add(moment)
                times.update(moment + time - local for time in self.named(begin, local + QUARTER))
            shown = max(shown, local + QUARTER)
            found.extend(time for time in sorted(times) if time > after)
            moment += QUARTER
        return found[:count], moment
