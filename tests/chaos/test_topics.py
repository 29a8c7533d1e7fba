"""What Kafka itself may do to a topic under the consumer: not there yet, more partitions, made anew, records deleted by retention
before they were read, transactions aborted. Nothing is lost without being counted, nothing skipped without being decided."""
import threading
import unittest

import harness
import ingest

RECORDS = 200000 if harness.LONG else 20000


class Topics(harness.Case):
    def start(self, world, *arguments, **options):
        return world.start("logmill-consumer", "--kafka=session.timeout.ms=6000", "--kafka=topic.metadata.refresh.interval.ms=1000",
                           "--retry-cap=500ms", *arguments, **options)

    def make_again(self, world):
        """As soon as Kafka lets: a topic that is being deleted keeps its name for a moment."""
        command = ["topics", "create", "--brokers", world.servers.brokers, "--topic-prefix", world.prefix, "--partitions", 1]
        harness.wait_until(lambda: world.topic("raw") + " made" in world.ctl(*command).stdout, 20)

    def test_a_topic_that_is_not_there_is_named_and_read_as_soon_as_it_is(self):
        world = self.world(partitions=1)
        ingest.delete_topic(world, world.topic("raw"))
        consumer = self.start(world, ready=False)
        self.wait_until(lambda: '"%s"' % world.topic("raw") in consumer.get("/readyz")[1], 20)
        self.assertIn("no such topic", consumer.get("/readyz")[1])
        self.make_again(world)
        ingest.generate(world, 100, partitions=1)
        self.wait_until(lambda: ingest.stored(world) == 100, 20)
        self.wait_until(consumer.ready, 10)
        self.assertEqual(consumer.terminate(), 0)

    def test_partitions_added_under_load_are_read_from_their_beginning(self):
        world = self.world(partitions=2)
        consumers = [self.start(world), self.start(world)]
        feeder = threading.Thread(target=ingest.generate, args=(world, RECORDS), kwargs=dict(partitions=2, rate=RECORDS // 4))
        feeder.start()
        self.wait_until(lambda: ingest.stored(world) > RECORDS // 4)
        ingest.kafka_admin(world, "add-partitions", world.topic("raw"), 4)
        ingest.generate(world, 3 * RECORDS, first=2 * RECORDS, partitions=4)
        feeder.join()
        self.wait_until(lambda: ingest.stored(world) == 2 * RECORDS, 60)
        half, quarter = RECORDS // 2, RECORDS // 4
        rows = world.rows("""select kafka_partition, count(*), count(distinct kafka_offset), min((metadata->>'n')::int),
            max((metadata->>'n')::int) from logmill.logs group by 1 order by 1""")
        # The generator numbers the second part as if the first had had four partitions too.
        old, new = half + quarter, quarter
        self.assertEqual([[int(v) for v in r] for r in rows],
                         [[p, old, old, 0, half + quarter - 1] for p in (0, 1)] + [[p, new, new, half, half + quarter - 1] for p in (2, 3)])
        ingest.check_rollups(self, world)
        self.assertEqual(ingest.dead_letters(world), 0)
        for consumer in consumers:
            self.assertEqual(consumer.metric("logmill_consumer_lost_by_retention_total"), 0)
            self.assertEqual(consumer.terminate(), 0)

    def test_a_topic_made_anew_stops_its_partition_however_much_it_grows_until_somebody_decides(self):
        world = self.world(partitions=1)
        topic, where = world.topic("raw"), ["--postgres-url", world.admin_url, "--brokers", world.servers.brokers]
        consumer = self.start(world)
        ingest.generate(world, 5000, partitions=1)
        self.wait_until(lambda: ingest.stored(world) == 5000)
        ingest.delete_topic(world, topic)
        self.make_again(world)
        ingest.generate(world, 1000, partitions=1)
        self.wait_until(lambda: "beyond the topic's end" in consumer.get("/readyz")[1], 30)
        self.wait_until(lambda: world.value("select beyond_end from logmill.ingest_offset where topic = '%s'" % topic) == "5000", 30)
        ingest.generate(world, 8000, first=1000, partitions=1)
        self.assertEqual(consumer.terminate(), 0)
        consumer = self.start(world, ready=False)           # the next to read it knows too, though the offset is one of the topic's now
        self.wait_until(lambda: "was beyond the topic's end 8000" in consumer.get("/readyz")[1], 20)
        self.assertEqual(world.value("select count(*) from logmill.logs where category = 'raw'"), "5000")
        self.assertRegex(world.ctl("offsets", *where).stdout, r"raw +0 +0 +5000 +8000 .*beyond the topic's end")
        world.ctl("offsets", "set", topic, 0, "beginning", *where)
        self.wait_until(lambda: ingest.stored(world) == 8000, 20)
        self.assertEqual(world.value("select count(*) from logmill.logs where category = 'raw'"), "13000")
        self.wait_until(consumer.ready, 20)
        ingest.check_rollups(self, world)
        self.assertEqual(consumer.terminate(), 0)

    def test_what_retention_deletes_under_a_consumer_that_cannot_store_is_counted_to_the_record(self):
        world = self.world(partitions=1)
        consumer = self.start(world, "--batch-rows=1000", "--memory=8MiB", "--log-level=debug", "--kafka=debug=topic")
        ingest.generate(world, 1000, partitions=1)
        self.wait_until(lambda: ingest.stored(world) == 1000)
        world.rows("revoke insert on logmill.logs_raw from logmill_writer")
        try:
            ingest.generate(world, 4 * RECORDS, first=1000, partitions=1)
            self.wait_until(lambda: "42501" in consumer.get("/readyz")[1], 20)
            ingest.delete_records(world, world.topic("raw"), 0, 3 * RECORDS)
        finally:
            world.rows("grant insert on logmill.logs_raw to logmill_writer")
        self.wait_until(lambda: ingest.stored(world) == 4 * RECORDS, 60)
        rows = int(world.value("select count(*) from logmill.logs"))
        lost = consumer.metric("logmill_consumer_lost_by_retention_total")
        self.assertGreater(lost, 0)
        self.assertEqual(rows + lost, 4 * RECORDS)          # what was fetched before it was deleted is not lost
        log = consumer.log()
        self.assertEqual(log.count("records are lost"), 1)
        self.assertGreater(log.count("Start fetch for " + world.topic("raw")), 1)   # assigned, and again after what was deleted
        self.assertNotIn("querying for logical offset", log)        # its answer may come after the seek, and undo it
        ingest.check_rollups(self, world)
        self.assertEqual(consumer.terminate(), 0)

    def test_aborted_transactions_and_the_marks_at_their_ends_are_neither_lag_nor_loss(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        consumer = self.start(world)
        for count, outcome in ((5, "commit"), (7, "abort"), (3, "commit"), (4, "abort"), (2, "abort")):
            ingest.kafka_admin(world, "transaction", topic, 0, count, outcome)
        end = 5 + 7 + 3 + 4 + 2 + 5                         # each ends with a mark
        self.wait_until(lambda: ingest.stored(world) == end, 20, "the position passes the last mark")
        self.assertEqual(world.value("select count(*) from logmill.logs where message like 'commit%'"), "8")
        self.assertEqual(world.value("select count(*) from logmill.logs"), "8")
        self.wait_until(lambda: consumer.metric("logmill_consumer_lag_records") == 0, 10)
        self.assertEqual(consumer.terminate(), 0)
        ingest.delete_records(world, topic, 0, end)
        consumer = self.start(world)
        ingest.produce(world, topic, b'{"message":"more"}')
        self.wait_until(lambda: ingest.stored(world) == end + 1, 20)
        self.assertEqual(consumer.metric("logmill_consumer_lost_by_retention_total"), 0)
        self.assertEqual(consumer.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
