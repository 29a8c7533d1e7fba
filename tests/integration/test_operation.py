"""What an operator stands on: metrics and their page, /readyz, SIGHUP, lag for others' tools, leaves on demand, quiet logs."""
import json
import re
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import harness
import ingest

PAGE = harness.ROOT / "docs" / "metrics.md"
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.]+(?:e[-+]?[0-9]+)?|[-+]Inf|NaN)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')


def page():
    """{name: (type, {labels}, {programs})} of the table."""
    rows = [[cell.strip() for cell in line.split("|")] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {r[1].strip("`"): (r[2], set(re.findall(r"`(\w+)`", r[3])), set(r[4].split(", "))) for r in rows}


def parse(text):
    """The exposition, read as strictly as the format is written: {family: (type, [(name, {label: value}, value)])}."""
    families, current, seen = {}, None, set()
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in families and len(line.split(" ", 3)[3]) > 5, line
            families[current] = (None, [])
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and families[name] == (None, []) and kind in ("counter", "gauge", "histogram"), line
            assert (kind == "counter") == name.endswith("_total"), line
            families[name] = (kind, [])
            continue
        match = SAMPLE.match(line)
        assert match, "not a sample: " + line
        labels, rest = {}, match[2] or ""
        while rest:
            label = LABEL.match(rest)
            assert label and label[1] not in labels, line
            labels[label[1]], rest = label[2], rest[label.end():]
        kind, samples = families[current]
        allowed = [current + s for s in ("_bucket", "_sum", "_count")] if kind == "histogram" else [current]
        assert match[1] in allowed, line
        assert (match[1], match[2]) not in seen, "twice: " + line
        seen.add((match[1], match[2]))
        samples.append((match[1], labels, float(match[3])))
    for name, (kind, samples) in families.items():
        assert samples, name + " has no sample"
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    series = {}
    for sample, labels, value in samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(key, []).append((sample[len(name):], labels.get("le"), value))
    for key, parts in series.items():
        buckets = [(float(le), v) for part, le, v in parts if part == "_bucket"]
        assert buckets == sorted(buckets) and [v for _, v in buckets] == sorted(v for _, v in buckets), (name, key)
        assert buckets[-1][0] == float("inf") and ("_count", None, buckets[-1][1]) in parts, (name, key)
        assert sum(part == "_sum" for part, _, _ in parts) == 1, (name, key)


class Operated(harness.Case):
    def start(self, world, *arguments, **options):
        consumer = world.start("logmill-consumer", *arguments, **options)
        self.addCleanup(self.ends_well, consumer)
        return consumer

    def ends_well(self, program):
        if program.running():
            self.assertEqual(program.terminate(), 0, program.log()[-3000:])

    def unmet(self, program):
        return {c["name"]: c for c in json.loads(program.get("/readyz")[1])["unmet"]}

    def send(self, world, records, category="raw", partition=None):
        """Records as JSON, one message each."""
        where = ["-p", str(partition)] if partition is not None else []
        subprocess.run(["kcat", "-b", world.servers.brokers, "-P", "-t", world.topic(category)] + where, check=True, timeout=60,
                       input="\n".join(json.dumps(r) for r in records).encode())

    def stored(self, world):
        return int(world.value("select count(*) from logmill.logs"))

    def gauge(self, program, name, **labels):
        for _, found, value in parse(program.get("/metrics")[1])[name][1]:
            if all(found.get(k) == str(v) for k, v in labels.items()):
                return value
        raise AssertionError("%s has no series %s" % (name, labels))


class Metrics(Operated):
    def test_the_page_lists_what_the_code_can_print_and_nothing_else(self):
        written = set()
        for part in ("common", "consumer", "agent", "producer"):
            for path in (harness.ROOT / part).rglob("*.c"):
                written |= set(re.findall(r'"((?:logmill|process)_[a-z_]+)"', path.read_text()))
        self.assertEqual(set(page()), written - {"logmill_scope_", "logmill_agent"})

    def test_every_program_prints_what_the_page_says_in_a_format_others_read(self):
        world = self.world(partitions=2)
        followed = Path(world.directory) / "app.log"
        followed.write_text("one line\n")
        ship = world.start("logmill-ship", "--follow", followed)
        gateway, agent, consumer = world.start("logmill-gateway"), world.start("logmill-agent"), self.start(world)
        self.assertEqual(gateway.post("/api/v1/logs", {"message": "by HTTP", "service": 'a"b\\c'})[0], 200)
        # In the middle, so that however the broker hands them out no batch holds the bad one alone: its age is that of no row.
        self.send(world, [{"message": "in time"}] * 5 + [{"service": "no message"}] + [{"message": "in time"}] * 5, partition=0)
        agent.post("/query", {"question": "how many errors in the last hour?"})
        # The rows are there before the consumer hears that they are; the dead letter's partition may be later than they.
        self.wait_until(lambda: (consumer.metric("logmill_consumer_stored_total"), consumer.metric("logmill_consumer_dead_letters_total")) == (12, 1))
        self.wait_until(lambda: consumer.metric("logmill_consumer_connections") == 2)
        table = page()
        for name, program in (("ship", ship), ("gateway", gateway), ("agent", agent), ("consumer", consumer)):
            with self.subTest(name):
                text = program.get("/metrics")[1]
                for family, (kind, samples) in parse(text).items():
                    self.assertIn(family, table, "not on docs/metrics.md")
                    self.assertEqual(table[family][0], kind, family)
                    self.assertTrue(table[family][2] & {name, "all"}, "%s is not said to print %s" % (name, family))
                    for _, labels, _ in samples:
                        self.assertEqual(set(labels) - {"le"}, table[family][1], family)
                if shutil.which("promtool"):
                    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
                    self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
        metrics = parse(consumer.get("/metrics")[1])
        self.assertEqual(sum(v for _, _, v in metrics["logmill_consumer_stored_total"][1]), 12)
        self.assertEqual([(l["class"], v) for _, l, v in metrics["logmill_consumer_dead_letters_total"][1]], [("no_message", 1)])
        batches = metrics["logmill_consumer_batches_total"][1][0][2]
        for name in ("decode", "wait", "copy", "turn", "commit", "latency"):
            samples = {n: v for n, _, v in metrics["logmill_consumer_%s_seconds" % name][1] if not n.endswith("_bucket")}
            self.assertEqual(samples["logmill_consumer_%s_seconds_count" % name], batches, name)
            self.assertLess(samples["logmill_consumer_%s_seconds_sum" % name], 30 * batches, name)
        self.assertEqual(metrics["logmill_consumer_connections"][1][0][2], 2)
        self.assertEqual(metrics["logmill_consumer_assigned_partitions"][1][0][2], 8)
        self.wait_until(lambda: self.gauge(consumer, "logmill_consumer_batch_memory_bytes") == 0, 10)
        self.assertEqual({v for _, _, v in metrics["logmill_ready"][1]}, {1})


class Lag(Operated):
    def test_an_idle_partition_has_no_lag_and_is_said_to_be_complete_while_its_consumer_lives(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        self.send(world, [{"message": "old"}] * 5)
        first = self.start(world)
        self.wait_until(lambda: self.stored(world) == 5)
        first.terminate()
        world.rows("update logmill.ingest_offset set committed_time = now() - interval '3 hours', checked_at = '-infinity'")
        consumer = self.start(world)
        checked = lambda: world.value("select checked_at > now() - interval '2 seconds' from logmill.ingest_offset where topic = '%s'" % topic) == "t"
        self.wait_until(checked, 15, "an idle partition said to be complete")
        self.assertEqual(self.gauge(consumer, "logmill_consumer_lag_seconds", topic=topic), 0)

        holder = subprocess.Popen(["psql", world.admin_url, "-X", "-q", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdin.write("begin; select 'held' from logmill.ingest_offset for update;\n")
        holder.stdin.flush()
        self.assertIn("held", holder.stdout.readline())
        self.send(world, [{"message": "new"}] * 7)
        self.wait_until(lambda: self.gauge(consumer, "logmill_consumer_lag_records", topic=topic) == 7, 10)
        # Nothing of a wait for a lock: neither what is asked on the control connection, nor a lag since the record before.
        self.wait_until(lambda: 0 < self.gauge(consumer, "logmill_consumer_lag_seconds", topic=topic) < 3600, 5)
        world.rows("select logmill.check_offsets(array['%s'], array[0], array[5])" % topic, timeout=30)
        holder.communicate("rollback;\n", timeout=60)
        self.wait_until(lambda: self.stored(world) == 12)
        self.wait_until(lambda: self.gauge(consumer, "logmill_consumer_lag_records", topic=topic) == 0, 5)
        self.wait_until(lambda: self.gauge(consumer, "logmill_consumer_lag_seconds", topic=topic) == 0, 5)

        # Who holds another position than the stored one has lost the partition, and says nothing. In one transaction: the consumer,
        # whose position it is, says so every ten seconds.
        self.assertEqual(world.rows("begin; update logmill.ingest_offset set checked_at = '-infinity'; "
                                    "select logmill.check_offsets(array['%s'], array[0], array[5]); select count(*) from "
                                    "logmill.ingest_offset where topic = '%s' and checked_at > '-infinity'; commit" % (topic, topic))[-1], ["0"])
        self.wait_until(checked, 15)
        self.assertIn("stored to its end", world.ctl("status", "--postgres-url", world.admin_url, check=False).stdout)
        consumer.kill()
        self.wait_until(lambda: world.value("select count(*) from pg_stat_activity where datname = current_database() and "
                                            "application_name like 'logmill-consumer%'") == "0", what="the end of what it had under way")
        world.rows("update logmill.ingest_offset set checked_at = now() - interval '5 minutes', updated_at = now() - interval '5 minutes'")
        self.assertIn("NOBODY STORES IT", world.ctl("status", "--postgres-url", world.admin_url, check=False).stdout)

    def committed(self, world, group, partitions=2):
        out = subprocess.run([str(harness.BIN / "logmill-test-kafka"), world.servers.brokers, "group-offsets", group, world.topic("raw"),
                              str(partitions)], capture_output=True, text=True, timeout=60, check=True).stdout
        return [int(v) for v in out.split()]

    def ends(self, world, partitions=2):
        out = subprocess.run(["kcat", "-b", world.servers.brokers, "-Q"] + sum((["-t", "%s:%d:-1" % (world.topic("raw"), p)] for p in range(partitions)), []),
                             capture_output=True, text=True, timeout=30, check=True).stdout
        return [int(v) for v in re.findall(r"offset (\d+)", out)]

    def test_tools_that_watch_the_group_see_the_lag_fall_to_nothing(self):
        world = self.world(partitions=2)
        ingest.generate(world, 5000, partitions=2)
        consumer = self.start(world)
        self.wait_until(lambda: self.committed(world, world.name) == self.ends(world) == [2500, 2500], 30, "the group's offsets at the end")
        # And at once where a consumer stops: whoever scales by them must not see what is done.
        ingest.generate(world, 8000, first=5000, partitions=2)
        self.wait_until(lambda: ingest.stored(world) == 8000)
        consumer.terminate()
        self.assertEqual(self.committed(world, world.name), [4000, 4000])


class Hangup(Operated):
    def hangup(self, program, said, seconds=10):
        before = len(program.log())
        program.process.send_signal(signal.SIGHUP)
        self.wait_until(lambda: re.search(said, program.log()[before:]), seconds, "%s says %s" % (program.name, said))
        return program.log()[before:]

    def test_the_consumer_takes_what_it_can_and_says_what_needs_a_restart(self):
        world = self.world(partitions=1)
        file = Path(world.directory) / "consumer.yaml"
        port = harness.free_port()
        good = dict(brokers=world.servers.brokers, topic_prefix=world.prefix, group=world.name, listen="127.0.0.1:%d" % port,
                    postgres_url=world.url("logmill_writer"), **{"retry.cap": "300ms", "log_level": "info", "batch.rows": 5000, "window.raw.past": "7d"})
        write = lambda **changed: file.write_text("".join("%s: %s\n" % i for i in dict(good, **changed).items()))
        elsewhere = "postgresql://nobody@127.0.0.1:%d/nothing" % harness.free_port()
        write(postgres_url=elsewhere)
        consumer = harness.Program("logmill-consumer", ["--config", file], world.directory)
        consumer.url = "http://127.0.0.1:%d" % port
        world.programs.append(consumer)
        self.addCleanup(self.ends_well, consumer)

        self.wait_until(lambda: "postgres" in self.unmet(consumer) and "refused" in self.unmet(consumer)["postgres"]["reason"], 10)
        self.assertRegex(self.unmet(consumer)["postgres"]["since"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.wait_until(lambda: self.unmet(consumer)["postgres"]["seconds"] >= 1, 10)
        write()
        self.hangup(consumer, "postgres_url has changed and holds from now on")
        self.wait_until(consumer.ready, 20, "ready at the other address")

        old = {"message": "two hours old", "timestamp": int((time.time() - 7200) * 1e6)}
        self.send(world, [old])
        # The row is there before the consumer hears that it is.
        self.wait_until(lambda: consumer.metric("logmill_consumer_stored_total") == 1)
        write(**{"window.raw.past": "1h", "batch.rows": 1, "log_level": "debug", "connections": 3})
        said = self.hangup(consumer, "3 taken, 1 need a restart")
        for name in (r"window\.raw\.past", r"batch\.rows", "log_level"):
            self.assertRegex(said, name + " has changed and holds from now on")
        self.assertRegex(said, "connections has changed and needs a restart")
        batches = consumer.metric("logmill_consumer_batches_total")
        self.send(world, [old, {"message": "a"}, {"message": "b"}])
        self.wait_until(lambda: self.stored(world) == 3)
        self.assertEqual(ingest.dead_letters(world), 1)
        self.wait_until(lambda: consumer.metric("logmill_consumer_batches_total") == batches + 3)
        self.assertIn('"level":"DEBUG"', consumer.log())

        write(**{"window.raw.past": "a while", "batch.rows": 1, "log_levle": "debug", "log_level": "info"})
        said = self.hangup(consumer, "nothing has changed")
        self.assertRegex(said, r"consumer\.yaml:\d+: window\.raw\.past")
        self.assertRegex(said, "did you mean.*log_level")
        write(**{"retry.base": "10s", "log_level": "info"})
        said = self.hangup(consumer, "nothing has changed")
        self.assertIn("retry.cap is shorter than retry.base", said)
        before = len(consumer.log())
        self.send(world, [old])
        self.wait_until(lambda: ingest.dead_letters(world) == 2)
        self.wait_until(lambda: '"level":"DEBUG"' in consumer.log()[before:], what="a level that what was refused has not changed")

    def test_the_other_programs_stay_and_take_what_they_can(self):
        world = self.world(partitions=1)
        (Path(world.directory) / "app.log").write_text("one line\n")
        for name, arguments, changed, fixed in (("logmill-gateway", [], "delivery_timeout: 12s", "queue_records: 77"),
                                                ("logmill-agent", [], "behind_after: 12s", "max_in_flight: 7"),
                                                ("logmill-ship", ["--follow", "app.log"], "join_wait: 77ms", "service: other")):
            with self.subTest(name):
                file = Path(world.directory) / (name + ".yaml")
                file.write_text("")
                program = world.start(name, "--config", file, *arguments)
                file.write_text(changed + "\n" + fixed + "\nlog_level: debug\n")
                said = self.hangup(program, "2 taken, 1 need a restart")
                self.assertRegex(said, fixed.split(":")[0] + " has changed and needs a restart")
                file.write_text("log_level: loud\n")
                self.hangup(program, "nothing has changed")
                self.assertTrue(program.ready())
                self.assertEqual(program.terminate(), 0)


class Leaves(Operated):
    def test_three_consumers_make_the_leaves_of_two_days_at_once(self):
        world = self.world(partitions=3)
        consumers = [self.start(world) for _ in range(3)]
        self.wait_until(lambda: [c.metric("logmill_consumer_assigned_partitions") for c in consumers] == [4, 4, 4], 30, "four partitions each")
        now = time.time()
        hours = [i for i in range(48)] + [-0.5]               # the last in the near future
        for partition in range(3):
            self.send(world, [{"message": "hour %s" % h, "timestamp": int((now - 3600 * h) * 1e6)} for h in hours for _ in range(20)], partition=partition)
        self.wait_until(lambda: self.stored(world) == 3 * 49 * 20, 60)
        ingest.check_rollups(self, world)
        self.assertEqual(ingest.dead_letters(world), 0)
        self.assertEqual(world.value("""select count(*) from logmill.leaf a join logmill.leaf b on a.category = b.category
            and a.name < b.name and a.lower < b.upper and b.lower < a.upper"""), "0", "leaves that overlap")
        self.assertEqual(sum(c.metric("logmill_consumer_retries_total") for c in consumers), 0)

        # More than are allowed in a minute: said, counted, waited for, and nothing is lost.
        world.rows("update logmill.leaf_period set on_demand_per_minute = 3; delete from logmill.leaf_demand")
        self.send(world, [{"message": "far", "timestamp": int((now - 3600 * h) * 1e6)} for h in range(60, 70)], partition=1)
        reason = lambda c: self.unmet(c).get(world.topic("raw") + "/1", {}).get("reason", "")
        owner = self.wait_until(lambda: next(c for c in consumers if re.search("LM002.*3 leaves were made on demand this minute", reason(c))), 20)
        limited = [v for _, l, v in parse(owner.get("/metrics")[1])["logmill_consumer_retries_total"][1] if l["reason"] == "LM002"]
        self.assertGreater(sum(limited), 0)
        self.assertEqual(self.gauge(owner, "logmill_ready", condition=world.topic("raw") + "/1"), 0)
        world.rows("update logmill.leaf_period set on_demand_per_minute = 1000")
        self.wait_until(lambda: self.stored(world) == 3 * 49 * 20 + 10, 30)
        self.wait_until(lambda: owner.ready(), 10)
        self.assertEqual(ingest.dead_letters(world), 0)


class Logs(Operated):
    def test_servers_that_are_away_are_said_once_and_not_in_every_attempt(self):
        world = self.world(partitions=4)
        nowhere = "127.0.0.1:%d" % harness.free_port()
        without_postgres = self.start(world, "--postgres-url", "postgresql://nobody@%s/nothing" % nowhere, "--retry-cap=200ms", ready=False)
        without_kafka = self.start(world, "--brokers", nowhere, ready=False)
        self.wait_until(lambda: "no broker of" in self.unmet(without_kafka).get("kafka", {}).get("reason", ""), 20)
        self.wait_until(lambda: "cannot find where to read from" in without_postgres.get("/readyz")[1] or "postgres" in self.unmet(without_postgres), 20)
        time.sleep(5)                                         # some twenty attempts of each of three connections
        for program in (without_postgres, without_kafka):
            lines = [json.loads(line) for line in program.log().splitlines() if line.startswith("{")]
            warnings = [l for l in lines if l["level"] not in ("DEBUG", "INFO")]
            alike = {}
            for line in warnings:
                alike.setdefault((line.get("component"), re.sub(r"\d+", "#", line["message"])), []).append(line["timestamp"])
            worst = max(alike.items(), key=lambda i: len(i[1]), default=(None, []))
            self.assertLessEqual(len(worst[1]), 3, worst)
            self.assertLess(len(warnings), 12, program.log()[-3000:])
            self.assertTrue(warnings)
        self.assertTrue(without_postgres.running() and without_kafka.running())


if __name__ == "__main__":
    unittest.main()
