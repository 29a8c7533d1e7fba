"""Where logmill-consumer could lose, double or stand still for ever: each case was once found that way."""
import json
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

import ingest


class Edges(ingest.Case):
    def produce_many(self, world, values):
        """One message a value, in order, to partition 0; the values hold no newline."""
        subprocess.run(["kcat", "-b", world.servers.brokers, "-P", "-t", world.topic("raw"), "-p", "0"],
                       input=b"\n".join(values) + b"\n", check=True, capture_output=True, timeout=60)

    def test_a_replayed_record_refused_again_is_stored_when_it_is_mended_at_last(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        headers = [("dlq.topic", topic), ("dlq.partition", 0), ("dlq.offset", 77)]
        other = [("dlq.topic", topic), ("dlq.partition", 0), ("dlq.offset", 78)]
        world.rows("alter table logmill.logs_raw add constraint mood check (message <> 'evil')")
        self.start(world)
        ingest.produce(world, topic, b'{"message":"evil"}', headers=headers)            # PostgreSQL refuses it
        ingest.produce(world, topic, b'{"message":"a","client_ip":"no"}', headers=other)  # the consumer does
        ingest.produce(world, topic, b'{"message":"evil"}', headers=headers)
        self.wait_for_offsets(world, 3)
        self.assertEqual(world.value("select count(*) from logmill.ingest_replay"), "0")
        world.rows("alter table logmill.logs_raw drop constraint mood")
        for _ in range(2):
            ingest.produce(world, topic, b'{"message":"evil"}', headers=headers)
            ingest.produce(world, topic, b'{"message":"a","client_ip":"::1"}', headers=other)
        self.wait_for_offsets(world, 7)
        self.assertEqual(world.rows("select message from logmill.logs order by 1"), [["a"], ["evil"]])
        self.assertEqual(world.value("select count(*) from logmill.ingest_replay"), "2")

    def test_headers_that_only_look_like_a_replay_hold_nothing_up(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        self.start(world)
        for i, (name, partition, offset) in enumerate([("\udcff\udcfe", "0", "1"), ("a'b", "0", "2"), ("", "0", "3"),
                                                       (topic, "many", "4"), (topic, "0", ""), (topic, "0", "-5"),
                                                       (topic, "99999999999", "6"), (topic, "0", "9" * 25)]):
            ingest.produce(world, topic, b'{"message":"hello"}', headers=[("dlq.topic", name), ("dlq.partition", partition),
                                                                           ("dlq.offset", offset), ("x-number", i)])
        self.wait_for_offsets(world, 8, 20)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "8")
        self.assertEqual(world.value("select count(*) from logmill.ingest_replay"), "0")

    def test_many_rows_that_postgres_alone_refuses_are_taken_out_in_bounded_memory(self):
        world = self.world(partitions=1)
        world.rows("alter table logmill.logs_raw add constraint mood check (message not like 'evil%')")
        # Escapes, so that decoding needs memory of its own.
        text = lambda i: json.dumps({"message": ("evil" if i % 5 == 0 else "good") + "\n" * 3000 + str(i)}).encode()
        count = 1000
        self.produce_many(world, [text(i) for i in range(count)])
        consumer = self.start(world, "--batch-rows=1000", "--batch-age=2s", ready=False)
        try:
            self.wait_for_offsets(world, count, 120)
        finally:
            with open("/proc/%d/status" % consumer.process.pid) as status:
                peak = int(status.read().split("VmHWM:")[1].split()[0]) // 1024
        self.assertEqual(world.value("select count(*) from logmill.logs"), "800")
        self.assertEqual(ingest.dead_letters(world), 200)
        self.assertLess(peak, 500)                          # 880 once; AddressSanitizer has 330
        ingest.check_rollups(self, world)

    def test_a_row_refused_while_parts_of_its_batch_are_tried_does_not_let_a_part_pass_for_the_whole(self):
        world = self.world(partitions=1)
        # What is refused follows a sequence, which no rollback sets back: refused rows make pieces of a batch (1); then one row fails its
        # whole statement, without a line, and the parts it is looked for in hold rows that are refused again (2, 3).
        world.rows("""create sequence logmill.mood;
            create function logmill.in_mood(log_type text) returns boolean language plpgsql security definer as $$
            begin return log_type <> 'REFUSED' or (select last_value from logmill.mood) = 2; end $$;
            create function logmill.divide() returns trigger language plpgsql security definer as $$
            begin if exists (select from fresh where message = 'divide') then
            perform setval('logmill.mood', 3); perform 1 / 0; end if; return null; end $$;
            grant execute on function logmill.in_mood, logmill.divide to logmill_writer;
            alter table logmill.logs_raw add constraint mood check (logmill.in_mood(log_type));
            create trigger divide after insert on logmill.logs_raw referencing new table as fresh
            for each statement execute function logmill.divide()""")
        ingest.generate(world, 1000, partitions=1, refused_every=20)
        self.start(world, "--batch-age=2s")
        self.wait_for_offsets(world, 1000)
        before = ingest.dead_letters(world)
        world.rows("select setval('logmill.mood', 2)")
        ingest.generate(world, 3500, first=1000, partitions=1, refused_every=20)
        ingest.produce(world, world.topic("raw"), b'{"message":"divide"}')
        ingest.generate(world, 4000, first=3500, partitions=1, refused_every=20)
        self.wait_for_offsets(world, 4001)
        letters = ingest.dead_letters(world)
        self.assertGreater(letters, before + 1)
        self.assertEqual(int(world.value("select count(*) from logmill.logs")) + letters, 4001)
        self.assertEqual(world.value("select count(*) from logmill.logs where message = 'divide'"), "0")
        ingest.check_rollups(self, world)

    def test_a_dead_letter_is_not_stored_as_well_when_its_batch_is_read_again(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        world.rows("alter table logmill.logs_raw add constraint mood check (message <> 'evil')")
        file = Path(world.directory) / "consumer.yaml"
        file.write_text("window.raw.future: 1h\n")
        consumer = self.start(world, "--batch-age=1m", "--batch-rows=3", "--config", file)
        # Too early at first; not any more when the refused row has the batch read again.
        self.produce_many(world, [b'{"message":"early","timestamp":%d}' % ((time.time() + 7200) * 1000000)])
        self.wait_until(lambda: consumer.metric("logmill_consumer_records_total") == 1)
        file.write_text("window.raw.future: 1d\n")
        consumer.process.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "window.raw.future has changed and holds from now on" in consumer.log())
        self.produce_many(world, [b'{"message":"evil"}', b'{"message":"good"}'])
        self.wait_for_offsets(world, 3)
        self.assertEqual(sorted(l["headers"]["dlq.error.class"] for l in ingest.letters(world)), ["constraint", "time_window"])
        self.assertEqual(world.rows("select message from logmill.logs"), [["good"]])
        ingest.check_rollups(self, world)

    def test_a_good_record_behind_bad_ones_that_came_one_by_one_shows_that_the_table_is_well(self):
        world = self.world(partitions=1)
        world.rows("alter table logmill.logs_raw add constraint mood check (message <> 'evil')")
        self.produce_many(world, [b'{"message":"evil"}'] * 10)
        consumer = self.start(world, ready=False)
        self.wait_for_offsets(world, 10)                    # too few to tell: believed, but not for ever
        self.produce_many(world, [b'{"message":"evil"}'])
        self.wait_until(lambda: "every row that was tried" in consumer.get("/readyz")[1], 20)
        self.produce_many(world, [b'{"message":"good"}'])
        self.wait_for_offsets(world, 12, 20)
        self.assertEqual(world.rows("select message from logmill.logs"), [["good"]])
        self.assertEqual(ingest.dead_letters(world), 11)
        self.wait_until(consumer.ready, 20)

    def test_an_error_of_class_08_that_leaves_the_connection_alive_stops_no_connection(self):
        world = self.world(partitions=1)
        world.rows("""create function logmill.elsewhere() returns trigger language plpgsql as $$
            begin raise exception 'could not connect to server elsewhere' using errcode = '08001'; end $$;
            create trigger elsewhere before insert on logmill.ingest_source
            for each statement execute function logmill.elsewhere()""")
        consumer = self.start(world)
        ingest.generate(world, 100, partitions=1, sources=10)
        self.wait_until(lambda: consumer.metric("logmill_consumer_retries_total") >= 4, 20)
        world.rows("drop trigger elsewhere on logmill.ingest_source")
        self.wait_for_offsets(world, 100, 20)
        ingest.check_exactly_once(self, world, 100, partitions=1)

    def test_a_time_ahead_of_the_clock_does_not_make_the_partition_forget_its_producers(self):
        world = self.world(partitions=1)
        self.start(world)
        ingest.kafka_admin(world, "produce", world.topic("raw"), 0, "empty", "", "at:%d" % (time.time() * 1000 + 50 * 60000))
        self.wait_for_offsets(world, 1)
        self.assertEqual(world.value("""select committed_time between clock_timestamp() - interval '5 minutes' and clock_timestamp()
            from logmill.ingest_offset where topic = '%s'""" % world.topic("raw")), "t")

    def test_a_dead_letter_nobody_takes_is_given_up_with_its_partition(self):
        world = self.world(partitions=1)
        ingest.delete_topic(world, world.topic("raw") + ".dlq")
        soon = "--kafka=topic.metadata.propagation.max.ms=1000" # how long a topic may be unknown before it is said to be missing
        consumers = [self.start(world, soon)]
        ingest.produce(world, world.topic("raw"), b"poison")
        self.wait_until(lambda: "dead letter" in consumers[0].get("/readyz")[1], 60)
        # Whoever comes may get the partition: the others must not go on speaking of its letter.
        for _ in range(3):
            consumers.append(self.start(world, soon, ready=False))
        self.wait_until(lambda: sum(c.get("/readyz")[1].count("refuses a dead letter") for c in consumers) == 1
                        and sum(c.ready() for c in consumers) == 3, 60)
        world.ctl("topics", "create", "--brokers", world.servers.brokers, "--topic-prefix", world.prefix, "--partitions", 1)
        self.wait_for_offsets(world, 1, 90)
        self.assertEqual(ingest.dead_letters(world), 1)

    def test_a_backend_that_hangs_in_begin_commits_nothing_later(self):
        world = self.world(own=True, partitions=1)
        # Full or not closed: two hundred records are two batches, however they come.
        consumer = self.start(world, "--connections=3", "--batch-rows=100", "--batch-age=1m", "--lock-timeout=5m")
        ingest.generate(world, 100, partitions=1)
        self.wait_for_offsets(world, 100)

        def pids(condition):
            return [int(r[0]) for r in world.rows("select pid from pg_stat_activity where application_name = 'logmill-consumer' and "
                                                  + condition)]
        waiting = lambda: pids("wait_event_type = 'Lock'")
        behind = lambda: pids("state = 'idle in transaction'")

        # Which connections two batches take is always the same: seen once with both of them well.
        lock = self.lock(world)
        ingest.generate(world, 300, first=100, partitions=1)
        first, second = self.wait_until(waiting)[0], self.wait_until(behind)[0]
        self.unlock(lock)
        self.wait_until(lambda: consumer.metric("logmill_consumer_stored_total") == 300, what="both connections free again")
        port = int(world.value("select client_port from pg_stat_activity where pid = %d" % second))

        os.kill(second, signal.SIGSTOP)
        try:
            lock = self.lock(world)
            ingest.generate(world, 500, first=300, partitions=1)
            self.assertEqual(self.wait_until(waiting), [first])
            self.wait_until(lambda: self.unread(world, port), what="the second batch with the backend that hangs")
            world.rows("select pg_terminate_backend(%d)" % first)
            self.wait_until(lambda: waiting() not in ([], [first]))
            self.unlock(lock)
            self.wait_for_offsets(world, 500, 20)
        finally:
            os.kill(second, signal.SIGCONT)
        self.wait_until(lambda: second not in pids("state <> 'idle'") and not self.unread(world, port), what="all it was sent done")
        ingest.check_exactly_once(self, world, 500, partitions=1)

    def unread(self, world, port):
        """Whether a backend has been sent something by the client at that port that it has not read: proc(5), tcp, rx_queue."""
        ends = [":%04X" % int(world.host.rsplit(":", 1)[1]), ":%04X" % port]
        with open("/proc/net/tcp") as sockets:
            lines = [line.split() for line in sockets]
        return any(l[1][8:] == ends[0] and l[2][8:] == ends[1] and not l[4].endswith(":00000000") for l in lines)

    def lock(self, world):
        """Holds the partition's row in ingest_offset until unlock()."""
        process = subprocess.Popen(["psql", world.admin_url, "-X", "-q", "-A", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)
        process.stdin.write("begin; select 'held' from logmill.ingest_offset for update;\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline().strip(), "held")
        return process

    def unlock(self, process):
        process.communicate("commit;\n", timeout=20)


if __name__ == "__main__":
    unittest.main()
