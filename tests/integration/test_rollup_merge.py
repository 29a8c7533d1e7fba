"""Rollup rows that come in pieces: whatever the order and however cut, what is kept is the sum. A property test of logmill.add_minutes,
also as consumers of before call it, against counting in Python; needs PostgreSQL only."""
import collections
import random
import re
import subprocess
import sys
import unittest

import harness

HISTOGRAM_DIGITS = 16
sys.set_int_max_str_digits(0)                              # a histogram has up to 10,112
LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")
KEPT = """select service, environment, level, extract(epoch from minute)::bigint, n, duration_n, duration_sum_us, duration_max_us,
        case level when 'DEBUG' then debug when 'INFO' then info when 'WARN' then warn when 'ERROR' then error when 'FATAL' then fatal end
    from logmill.log_rollup_minute left join logmill.duration_minute using (minute, category, service, environment, kafka_partition)"""
KEPT_OF_ANY_LEVEL = """select service, environment, extract(epoch from minute)::bigint, histogram from logmill.duration_minute"""


def array(values, kind):
    return "'{%s}'::%s[]" % (",".join(map(str, values)), kind)


def histogram_of(counts):
    """As a number: {bucket: count}."""
    return sum(count * 10**(HISTOGRAM_DIGITS * bucket) for bucket, count in counts.items())


def any_level(pieces):
    """{(service, environment, minute): histogram}."""
    made = collections.Counter()
    for (service, environment, _, minute), row in pieces.items():
        made[service, environment, minute] += histogram_of(row[3])
    return +made


def runs_of(histograms):
    """Numbers whose sums they are, cut where 64 zeros stand; the numbers of what each is of first."""
    numbers, runs = [], []
    for nth, histogram in enumerate(histograms, 1):
        end = 0
        for run in re.split("(0{64,})", str(histogram))[::-1]:
            if run.strip("0"):
                numbers.append(nth)
                runs.append("%se%d" % (run, end))
            end += len(run)
    return array(numbers, "bigint"), array(runs, "numeric")


def counts_of(pieces):
    """The arrays of {key: (n, sum, max, {bucket: count})} that either call begins with."""
    keys, rows = list(pieces), list(pieces.values())
    return (array([k[3] * 1000000 for k in keys], "bigint"), array([k[0] for k in keys], "text"), array([k[1] for k in keys], "text"),
            array([k[2] for k in keys], "logmill.log_level"), array([r[0] for r in rows], "bigint"),
            array([sum(r[3].values()) for r in rows], "bigint"), array([r[1] for r in rows], "bigint"), array([r[2] for r in rows], "bigint")
            ) + runs_of(histogram_of(row[3]) for row in rows)


def add_minutes(pieces, seconds=None):
    """The call for the same, as the consumer writes it. `seconds` by key: {second: count}; of those it does not name all n are in the first."""
    by_second = [histogram_of((seconds or {}).get(key, {0: row[0]})) for key, row in pieces.items()]
    return "select logmill.add_minutes('raw', 0, %s);" % ", ".join(counts_of(pieces) + runs_of(by_second))


def add_minutes_of_before(pieces):
    """The same as consumers of before write it."""
    return "select logmill.add_minutes('raw', 0, %s);" % ", ".join(counts_of(pieces))


class RollupMerge(harness.Case):
    def setUp(self):
        self.database = self.world(topics=False)
        self.seed = random.randrange(1 << 32)
        self.random = random.Random(self.seed)

    def check(self, pieces):
        """`pieces`: the arguments of one call after another."""
        truth = collections.defaultdict(lambda: [0, 0, 0, collections.Counter()])
        for piece in pieces:
            for key, (n, total, most, histogram) in piece.items():
                of = truth[key]
                of[0], of[1], of[2] = of[0] + n, min(of[1] + total, 2**63 - 1), max(of[2], most)
                of[3].update(histogram)
        self.database.rows("set role logmill_writer; " + " ".join(
            self.random.choice((add_minutes, add_minutes_of_before))(p) for p in pieces))
        durations = sum(map(any_level, pieces), collections.Counter())
        self.assertEqual({(s, e, int(m)): int(h) for s, e, m, h in self.database.rows(KEPT_OF_ANY_LEVEL)}, dict(durations),
                         "seed %d" % self.seed)
        kept = {tuple(r[:3]) + (int(r[3]),): r[4:] for r in self.database.rows(KEPT)}
        self.assertEqual(len(kept), len(truth), "seed %d" % self.seed)
        for key, (n, total, most, histogram) in truth.items():
            some = bool(histogram)
            self.assertEqual(kept[key], [str(n), str(sum(histogram.values())), str(total if some else 0), str(most) if some else None,
                                         str(histogram_of(histogram)) if some else None], "%s, seed %d" % (key, self.seed))

    def piece(self, keys, spread):
        piece = {}
        for key in self.random.sample(keys, self.random.randint(1, len(keys))):
            middle = self.random.randint(0, 631 - spread)
            durations = self.random.choice((0, 1, 3, 40, 150))
            histogram = collections.Counter(self.random.randint(middle, middle + spread) for _ in range(durations))
            n = sum(histogram.values()) + self.random.randint(1, 5)
            most = self.random.randint(0, 2**53) if histogram else 0
            items = list(histogram.items())
            self.random.shuffle(items)
            piece[key] = (n, most * len(items), most, dict(items))
        return piece

    def test_pieces_in_any_order_and_overlap_make_their_sum(self):
        keys = [("s%d" % s, e, level, 60 * m) for s in range(2) for e in ("production", "staging") for level in LEVELS for m in (1, 2)]
        self.check([self.piece(keys, self.random.choice((0, 5, 600))) for _ in range(40)])

    def test_counts_beyond_32_bits_and_a_sum_at_its_ceiling(self):
        key = ("s", "production", "INFO", 60)
        large = 2**31 + 7
        self.check([{key: (large, 2**62, 2**53, {630: large})}, {key: (2, 0, 0, {})}, {key: (large + 1, 2**62, 5, {3: 1, 630: large})},
                    {key: (1, 2**53, 2**53, {631: 1})}])

    def test_a_row_that_got_durations_only_later_has_them_and_keeps_them(self):
        key = ("s", "production", "INFO", 60)
        self.check([{key: (3, 0, 0, {})}, {key: (2, 10, 7, {40: 2})}, {key: (1, 0, 0, {})}])

    def test_seconds_make_their_sum_from_the_first_minute_that_has_all_of_them(self):
        now = int(self.database.value("select extract(epoch from date_trunc('minute', now()))::bigint"))
        minutes = [now - 60 * back for back in (3, 2, 1)]
        truth = collections.Counter()
        for calls in range(40):
            piece, seconds = {}, {}
            for key in self.random.sample([("s%d" % s, "production", level, m) for s in range(3) for level in LEVELS for m in minutes], 7):
                seconds[key] = {self.random.randrange(60): self.random.randint(1, 2**31) for _ in range(self.random.randint(1, 9))}
                piece[key] = (sum(seconds[key].values()), 0, 0, {})
            self.database.rows("set role logmill_writer; " + add_minutes(piece, seconds))
            for (service, environment, level, minute), counts in seconds.items():
                for second, n in counts.items():
                    truth[service, level, minute, second] += n
        kept = self.database.rows("select service, v.level, extract(epoch from minute)::bigint, b.bucket, b.n from logmill_read.seconds_minute, "
                                  "lateral (values ('DEBUG', debug), ('INFO', info), ('WARN', warn), ('ERROR', error), ('FATAL', fatal)) v (level, seconds), "
                                  "logmill_read.histogram_buckets(v.seconds) b")
        self.assertEqual({(s, l, int(m), int(b)): int(n) for s, l, m, b, n in kept}, dict(truth), "seed %d" % self.seed)
        totals = self.database.rows("select * from logmill.total_minute order by minute")
        self.assertEqual(len(totals), len(minutes))
        self.assertEqual(totals, self.database.rows("select * from logmill.minute_totals order by minute"))
        apart = self.database.rows("select * from logmill.count_minute order by minute, service")
        self.assertGreater(len(apart), len(minutes))
        self.assertEqual(apart, self.database.rows("select * from logmill.minute_counts order by minute, service"))
        for _ in range(40):
            minute, (first, last) = self.random.choice(minutes), sorted(self.random.choices(range(61), k=2))
            window = "to_timestamp(%d), to_timestamp(%d)" % (minute + first, minute + last)
            expected, of_level = collections.Counter(), collections.Counter()
            for (service, level, m, second), n in truth.items():
                if m == minute and first <= second < last:
                    expected[service, level] += n
                    of_level["any", level] += n
            for read, told in (("select service, level, n from logmill_read.log_rollup_second(%s)", expected),
                               ("select service, level, n from logmill_read.log_count(%s, 'minute', null, 'service', null, null)", expected),
                               ("select 'any', level, sum(n) from logmill_read.log_total(%s, 'minute', null) group by 2", of_level)):
                self.assertEqual({(s, l): int(n) for s, l, n in self.database.rows(read % window)}, dict(told), "%d to %d, seed %d" % (first, last, self.seed))
        # One that does not count seconds comes: nothing up to its last minute is read by seconds any more, and its rows are (there are none).
        self.database.rows("set role logmill_writer; " + add_minutes_of_before({("s0", "production", "INFO", minutes[1]): (1, 0, 0, {})}))
        since = "select extract(epoch from since)::bigint from logmill_read.seconds_since"
        self.assertEqual(int(self.database.value(since)), minutes[2])
        count = "select coalesce(sum(n), 0) from logmill_read.log_rollup_second(to_timestamp(%d), to_timestamp(%d))"
        for minute in minutes:
            of_minute = sum(n for (_, _, m, _), n in truth.items() if m == minute)
            self.assertEqual(int(self.database.value(count % (minute, minute + 60))), of_minute if minute == minutes[2] else 0)
        self.database.rows("set role logmill_writer; " + add_minutes_of_before({("s0", "production", "INFO", minutes[0]): (1, 0, 0, {})}))
        self.assertEqual(int(self.database.value(since)), minutes[2])

    def test_seconds_of_a_day_are_kept_and_of_whole_seconds_told(self):
        now = int(self.database.value("select extract(epoch from date_trunc('minute', now()))::bigint"))
        old, kept, read = (now - 3600 * hours for hours in (27, 25.5, 24))
        self.database.rows("set role logmill_writer; " + add_minutes({("s", "production", "INFO", int(m)): (5, 0, 0, {}) for m in (old, kept, read)}))
        minutes = "select extract(epoch from minute)::bigint from logmill.seconds_minute order by 1"
        self.assertEqual([int(r[0]) for r in self.database.rows(minutes)], [kept, read])
        of_minute = "select coalesce(sum(n), 0) from logmill_read.log_rollup_second(to_timestamp(%d), to_timestamp(%d) + interval '1 s')"
        self.assertEqual([self.database.value(of_minute % (m, m)) for m in (old, kept, read)], ["0", "0", "5"])
        self.database.rows("insert into logmill.seconds_minute select to_timestamp(%d) - i * interval '1 s', 'raw', 's', 'production', 0 "
                           "from generate_series(1, 2500) i" % (now - 3600 * 27))
        self.assertEqual(self.database.value("set role logmill_writer; select more from logmill.forget_seconds('0')"), "t")
        self.assertEqual(self.database.value("select count(*) from logmill.seconds_minute"), "1502")
        self.assertEqual(self.database.value("set role logmill_writer; select more from logmill.forget_seconds('1 min')"), "f")
        self.assertEqual([int(r[0]) for r in self.database.rows(minutes)], [kept, read])
        for lower, upper in ((0.5, 2), (0, 1.5), (0, 61), (-1, 3), (5, 4)):
            with self.subTest(lower=lower, upper=upper), self.assertRaisesRegex(RuntimeError, "whole seconds of one minute"):
                self.database.rows("select * from logmill_read.log_rollup_second(to_timestamp(%s), to_timestamp(%s))" % (now + lower, now + upper))

    def test_forgetting_reads_what_is_forgotten_and_no_more(self):
        self.database.rows("insert into logmill.seconds_minute select date_trunc('minute', now()) - i * interval '1 s', 'raw', 's', 'production', 0 "
                           "from generate_series(1, 80000) i; analyze logmill.seconds_minute")
        told = self.database.rows("begin; select more from logmill.forget_seconds('1 s'); "
                                  "select coalesce(seq_tup_read + idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname = 'seconds_minute'; rollback")
        more, read = (r[0] for r in told[-2:])
        self.assertEqual(more, "f")
        self.assertLess(int(read), 100)

    def test_of_a_minute_of_very_many_groups_rows_are_read(self):
        minute = "date_trunc('minute', now()) - interval '10 minutes'"
        self.database.rows("select logmill.ensure_leaf('raw', %s); insert into logmill.logs (created_at, category, level, log_type, service, environment, "
                           "message, kafka_partition, kafka_offset, ingested_at) select %s + i * interval '1 s', 'raw', 'INFO', 'BACKEND', 's', 'production', "
                           "'m', 0, i, now() from generate_series(0, 59) i" % (minute, minute))
        fill = "insert into logmill.seconds_minute (minute, category, service, environment, kafka_partition, info) " \
               "select %s, 'raw', 's' || i, 'production', 0, 1 from generate_series(%d, %d) i"
        count = "select sum(n) from logmill_read.log_rollup_second(%s, %s + interval '7 s')" % (minute, minute)
        edge = "select sum(n) from logmill_read.log_total(%s, %s + interval '7 s', 'minute', null)" % (minute, minute)
        self.database.rows(fill % (minute, 1, 4999))
        for read in (count, edge):
            self.assertEqual(self.database.value(read), "4999")  # seconds, which here tell another story than the rows
        self.database.rows(fill % (minute, 5000, 5000))
        for read in (count, edge):
            self.assertEqual(self.database.value(read), "7")

    def test_a_time_is_computed_without_a_call(self):
        plan = self.database.rows("explain (verbose, costs off) select logmill.at_us(u.us) from unnest('{1,2}'::bigint[]) u (us)")
        self.assertNotIn("at_us", str(plan))

    def raise_often(self, keys, times):
        """In one session, each time a transaction of its own."""
        subprocess.run(["psql", self.database.url("logmill_writer"), "-Xq"], check=True, text=True, stdout=subprocess.DEVNULL,
                       input="\n".join(add_minutes({key: (100, 1, 1, {b: 1 for b in range(100)}) for key in keys}) for _ in range(times)))

    def test_a_row_that_is_raised_stays_on_its_page_and_in_its_index_entries(self):
        self.raise_often([("s%d" % i, "production", level, 60) for i in range(20) for level in LEVELS], 30)
        updated = "select n_tup_upd, n_tup_hot_upd from pg_stat_all_tables where relid = 'logmill.log_rollup_minute'::regclass"
        self.wait_until(lambda: self.database.rows(updated)[0][0] == "2900", what="what the session did is told")
        self.assertGreater(int(self.database.rows(updated)[0][1]), 1000)

    def test_versions_of_a_histogram_that_is_raised_are_not_read_for_ever(self):
        """Another transaction keeps them visible while they pile up; with it gone, reading meets each once more and no longer."""
        older = subprocess.Popen(["psql", self.database.admin_url, "-Xq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (older.stdin.close(), older.stdout.close(), older.wait(20)))
        older.stdin.write("begin isolation level repeatable read; select 'begun';\n")
        older.stdin.flush()
        self.assertIn("?column?", older.stdout.readline())
        self.database.rows("alter table logmill.duration_minute set (autovacuum_enabled = off)")
        for more in ("", "b"):                              # the second go between the first, in whose pages there is no room left
            self.raise_often([("s%d%s" % (i, more), "production", "INFO", 60) for i in range(20)], 30)
        older.stdin.write("rollback; select 'over';\n")
        older.stdin.flush()
        self.wait_until(lambda: self.database.value("select count(*) from pg_stat_activity where datname = current_database() "
                                                    "and backend_xmin is not null and pid <> pg_backend_pid()") == "0", what="its snapshot gone")

        def fetched():
            """Rows of the table that an index scan looks at."""
            plan = self.database.rows("set enable_seqscan = off; set enable_bitmapscan = off; explain (analyze, costs off, timing off) "
                                      "select minute, service from logmill.duration_minute where minute > 'epoch'")
            return next(int(line.split(":")[1]) for (line,) in plan if "Heap Fetches" in line)
        self.assertGreater(fetched(), 400)
        self.wait_until(lambda: fetched() < 60, 20, "no version is read again")


if __name__ == "__main__":
    unittest.main()
