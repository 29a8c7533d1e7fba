"""Rollup rows that come in pieces: whatever the order and however cut, what is kept is the sum. A property test of
logmill.add_counts and add_durations, and of add_rollups, which consumers of before call, against counting in Python; needs PostgreSQL
only."""
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
    (select coalesce(string_agg(b.bucket || ':' || b.n, ' ' order by b.bucket), '')
     from (select bucket, sum(n) as n from unnest(duration_buckets, duration_counts) u (bucket, n) group by bucket) b),
    cardinality(duration_buckets), cardinality(duration_counts)
    from logmill.log_rollup_minute"""
KEPT_OF_ANY_LEVEL = """select service, environment, extract(epoch from minute)::bigint, histogram from logmill.duration_minute"""


def array(values, kind):
    return "'{%s}'::%s[]" % (",".join(map(str, values)), kind)


def any_level(pieces):
    """{(service, environment, minute): histogram}, as numbers."""
    made = collections.Counter()
    for (service, environment, _, minute), row in pieces.items():
        for bucket, count in row[3].items():
            made[service, environment, minute] += count * 10**(HISTOGRAM_DIGITS * bucket)
    return made


def add_counts_and_durations(pieces):
    """The calls for {key: (n, sum, max, {bucket: count})}, as the consumer writes them."""
    counts = add_rollups(pieces).replace("add_rollups", "add_counts", 1)
    histograms = any_level(pieces)
    if not histograms:
        return counts
    runs = [(nth, run) for nth, histogram in enumerate(histograms.values(), 1) for run in runs_of(histogram)]
    return counts + "select logmill.add_durations('raw', 0, %s);" % ", ".join((
        array([k[2] * 1000000 for k in histograms], "bigint"), array([k[0] for k in histograms], "text"),
        array([k[1] for k in histograms], "text"), array([nth for nth, _ in runs], "bigint"),
        array([run for _, run in runs], "numeric")))


def runs_of(histogram):
    """Numbers whose sum it is: cut where 64 zeros stand."""
    end = 0
    for run in re.split("(0{64,})", str(histogram))[::-1]:
        if run.strip("0"):
            yield "%se%d" % (run, end)
        end += len(run)


def add_rollups(pieces):
    """The call for the same, as consumers of before write it."""
    keys, rows = list(pieces), list(pieces.values())
    first, last, buckets, counts = [], [], [], []
    for n, total, most, histogram in rows:
        first.append(len(buckets) + 1)
        buckets += histogram
        counts += histogram.values()
        last.append(len(buckets))
    return "select logmill.add_rollups('raw', 0, %s);" % ", ".join((
        array([k[3] * 1000000 for k in keys], "bigint"), array([k[0] for k in keys], "text"), array([k[1] for k in keys], "text"),
        array([k[2] for k in keys], "logmill.log_level"), array([r[0] for r in rows], "bigint"),
        array([sum(r[3].values()) for r in rows], "bigint"), array([r[1] for r in rows], "bigint"), array([r[2] for r in rows], "bigint"),
        array(first, "int"), array(last, "int"), array(buckets, "smallint"), array(counts, "bigint")))


JOINED_MAX = 150  # elements a histogram may have before each bucket stands in it once


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
            self.random.choice((add_counts_and_durations, add_rollups))(p) for p in pieces))
        durations = sum(map(any_level, pieces), collections.Counter())
        self.assertEqual({(s, e, int(m)): int(h) for s, e, m, h in self.database.rows(KEPT_OF_ANY_LEVEL)}, dict(durations),
                         "seed %d" % self.seed)
        kept = {tuple(r[:3]) + (int(r[3]),): r[4:] for r in self.database.rows(KEPT)}
        self.assertEqual(len(kept), len(truth), "seed %d" % self.seed)
        for key, (n, total, most, histogram) in truth.items():
            some = bool(histogram)
            elements = kept[key].pop()
            self.assertEqual(kept[key].pop(), elements, "%s, seed %d" % (key, self.seed))
            self.assertLessEqual(int(elements or 0), max(JOINED_MAX, len(histogram)), "%s, seed %d" % (key, self.seed))
            self.assertEqual(kept[key], [str(n), str(sum(histogram.values())), str(total if some else 0), str(most) if some else None,
                                         " ".join("%d:%d" % b for b in sorted(histogram.items()))], "%s, seed %d" % (key, self.seed))

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

    def test_the_same_buckets_again_and_again_are_held_once_when_they_are_many(self):
        keys = [("s", "production", "INFO", 60), ("t", "production", "INFO", 60)]
        self.check([{keys[0]: (60, 60, 1, {b: 1 for b in range(100, 160)}), keys[1]: (1, 9, 9, {7: 1})} for _ in range(40)])
        sizes = self.database.rows("select cardinality(duration_buckets) from logmill.log_rollup_minute order by service")
        # 60 and 120 are joined, 180 become 60; forty of one bucket stay as they came.
        self.assertEqual(sizes, [["120"], ["40"]])

    def test_taking_a_row_out_of_a_joined_histogram_makes_it_whole(self):
        self.assertEqual(self.database.rows("select * from logmill.shift_bucket('{5,7,5,9}', '{1,2,3,1}', 5::smallint, -1)"),
                         [["{5,7,9}", "{3,2,1}"]])

    def test_a_time_is_computed_without_a_call(self):
        plan = self.database.rows("explain (verbose, costs off) select logmill.at_us(u.us) from unnest('{1,2}'::bigint[]) u (us)")
        self.assertNotIn("at_us", str(plan))

    def test_versions_of_a_row_that_is_raised_are_not_read_for_ever(self):
        """Another transaction keeps them visible while they pile up; with it gone, reading meets each once more and no longer."""
        pieces = [{("s%d%s" % (i, more), "production", "INFO", 60): (100, 1, 1, {b: 1 for b in range(100)}) for i in range(20)}
                  for more in ("", "b")]                    # the second go between the first, in whose pages there is no room left
        older = subprocess.Popen(["psql", self.database.admin_url, "-Xq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (older.stdin.close(), older.stdout.close(), older.wait(20)))
        older.stdin.write("begin isolation level repeatable read; select 'begun';\n")
        older.stdin.flush()
        self.assertIn("?column?", older.stdout.readline())
        self.database.rows("alter table logmill.log_rollup_minute set (autovacuum_enabled = off)")
        subprocess.run(["psql", self.database.url("logmill_writer"), "-Xq"], input="\n".join(add_rollups(p) for p in pieces for _ in range(30)), check=True, text=True,
                       stdout=subprocess.DEVNULL)
        older.stdin.write("rollback; select 'over';\n")
        older.stdin.flush()
        self.wait_until(lambda: self.database.value("select count(*) from pg_stat_activity where datname = current_database() "
                                                    "and backend_xmin is not null and pid <> pg_backend_pid()") == "0", what="its snapshot gone")

        def fetched(columns, condition):
            """Rows of the table that an index scan looks at."""
            plan = self.database.rows("set enable_seqscan = off; set enable_bitmapscan = off; explain (analyze, costs off, timing off) "
                                      "select %s from logmill.log_rollup_minute where %s" % (columns, condition))
            return next(int(line.split(":")[1]) for (line,) in plan if "Heap Fetches" in line)
        for scan in (("minute, level", "minute > 'epoch'"), ("service, minute", "service > 's'")):   # of either index
            self.assertGreater(fetched(*scan), 400)
            self.assertLess(fetched(*scan), 60)


if __name__ == "__main__":
    unittest.main()
