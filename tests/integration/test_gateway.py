"""logmill-gateway against real servers: its routes and answers, and that 2xx means stored, once where a stream says so."""
import concurrent.futures
import gzip
import http.client
import json
import os
import random
import socket
import subprocess
import time
import unittest
import urllib.parse
import zlib
from pathlib import Path

import harness
import record


class Gateway(harness.Case):
    def gateway(self, *options, own=False, **world):
        self.world_ = self.world(own=own, **dict({"migrate": False}, **world))
        return self.world_.start("logmill-gateway", *options)

    def records(self, category="raw"):
        return record.of_topic(self.world_, self.world_.topic(category))

    def messages(self, category="raw"):
        return [r["message"] for r in self.records(category)]

    def curl(self, *arguments, stdin=b""):
        """(status, body) by curl."""
        p = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}"] + [str(a) for a in arguments], input=stdin, capture_output=True,
                           timeout=60)
        self.assertEqual(p.returncode, 0, p.stderr)
        body, status = p.stdout.decode().rsplit("\n", 1)
        return int(status), body

    def assert_error(self, answer, status, code):
        self.assertEqual(answer[0], status, answer[1])
        self.assertEqual(answer[1]["error"]["code"], code)
        self.assertGreater(len(answer[1]["error"]["message"]), 10)


class Routes(Gateway):
    def test_one_record(self):
        gateway = self.gateway()
        status, answer, _ = gateway.post("/api/v1/logs", {
            "message": "결제 실패", "level": "CRITICAL", "service": "pay", "application_error_code": "E1", "http_status_code": "502",
            "browser_name": "Firefox", "device_type": "mobile", "ts": 1795251884.5, "order": {"id": 9007199254740993}})
        self.assertEqual((status, answer), (200, {"status": "success", "count": 1, "rejected": []}))
        (r,) = self.records()
        self.assertEqual((r["message"], r["level"], r["service"], r["error_code"], r["http_status"], r["browser"], r["device"]),
                         ("결제 실패", "FATAL", "pay", "E1", 502, "Firefox", "mobile"))
        self.assertEqual(r["timestamp"], 1795251884500000)
        self.assertEqual(r["metadata"], {"order": {"id": 9007199254740993}})
        self.assert_error(gateway.post("/api/v1/logs", {"level": "INFO"}), 400, "rejected")
        self.assert_error(gateway.post("/api/v1/logs", b"hello"), 400, "bad_request")
        self.assert_error(gateway.post("/api/v1/logs", b""), 400, "bad_request")
        self.assertEqual(len(self.records()), 1)

    def test_a_batch_names_its_bad_records_and_stores_the_others(self):
        gateway = self.gateway()
        body = ('{"logs": [{"message": "first"}, {"level": "INFO"}, {"message": "a\\u0000b"}, 7, {"message": "x", "timestamp": "never"},'
                '{"message": "of training", "category": "training"}, {"message": "last"}]}').encode()
        status, answer, _ = gateway.post("/api/v1/logs/batch", body)
        self.assertEqual(status, 200)
        self.assertEqual((answer["status"], answer["count"]), ("success", 3))
        self.assertEqual([r["index"] for r in answer["rejected"]], [1, 2, 3, 4])
        self.assertTrue(answer["rejected"][0]["error"].startswith("no_message: "))
        self.assertTrue(answer["rejected"][1]["error"].startswith("nul: "))
        self.assertEqual(sorted(self.messages()), ["first", "last"])
        self.assertEqual(self.messages("training"), ["of training"])
        self.assertEqual(gateway.post("/api/v1/logs/batch", [{"message": "an array"}])[1]["count"], 1)
        self.assertEqual(gateway.post("/api/v1/logs/batch", {"logs": []})[:2], (200, {"status": "success", "count": 0, "rejected": []}))
        self.assert_error(gateway.post("/api/v1/logs/batch", {"lines": []}), 400, "bad_request")

    def test_ingest_takes_ndjson_arrays_and_concatenated_json_of_the_paths_category(self):
        gateway = self.gateway()
        path = "/v1/ingest/summary"
        for body, accepted, rejected in ((b'{"message":"a"}\n{"message":"b"}\n', 2, 0), (b'[{"message":"c"},{"message":"d"}]', 2, 0),
                                         (b'{"message":"e"}{"message":"f"}', 2, 0), (b'garbage\n{"message":"g"}\n{"message":"cut\n{"message":"h"}\n', 2, 2),
                                         (b'{"message":"i","category":"raw"}', 0, 1)):
            status, answer, _ = gateway.post(path, body)
            self.assertEqual((status, answer["accepted"], answer["rejected"]), (200, accepted, rejected), body)
            self.assertEqual(len(answer["errors"]), rejected)
        self.assertEqual("".join(sorted(self.messages("summary"))), "abcdefgh")
        self.assert_error(gateway.post("/v1/ingest/other", b"{}"), 404, "unknown_category")

    def test_fluent_bits_own_bodies_and_vectors_fields(self):
        folder = harness.DATA / "conformance" / "fluent-bit" / "out_http_samples"
        if not folder.is_dir():
            self.skipTest("LOGMILL_DATA_DIR/conformance/fluent-bit is not there")
        gateway = self.gateway()
        for path in sorted(folder.glob("*.body")):
            status, answer, _ = gateway.post("/v1/ingest/raw", path.read_bytes())
            self.assertEqual((status, answer["accepted"], answer["rejected"]), (200, 2, 0), path.name)
        found = self.records()
        self.assertEqual({r["message"] for r in found}, {"hello world"})
        self.assertEqual(sorted({r["timestamp"] for r in found}), [1000000, 2000000])
        vector = {"timestamp": "2026-11-21T09:04:44.613123456Z", "host": "h1", "message": "from vector", "source_type": "file", "file": "/var/log/a.log"}
        fluent = {"@timestamp": 1795251884.613, "log": "from fluent-bit\n", "stream": "stderr"}
        self.assertEqual(gateway.post("/v1/ingest/tagged", [vector, fluent])[1]["accepted"], 2)
        found = {r["message"]: r for r in self.records("tagged")}
        self.assertEqual(found["from vector"]["timestamp"], 1795251884613123)
        self.assertEqual((found["from vector"]["host"], found["from vector"]["metadata"]["file"]), ("h1", "/var/log/a.log"))
        self.assertEqual(found["from fluent-bit"]["timestamp"], 1795251884613000)

    def test_curl_with_gzip_and_the_other_encodings(self):
        gateway = self.gateway("--max-inflated", "64KiB", "--max-body", "16KiB")
        url = gateway.url + "/v1/ingest/raw"
        body = b'{"message":"packed"}\n' * 3
        raw = zlib.compressobj(wbits=-15)
        packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body), "Deflate": raw.compress(body) + raw.flush(), "identity": body}
        if Path("/usr/bin/zstd").exists():
            packed["zstd"] = subprocess.run(["zstd", "-c"], input=body, capture_output=True, check=True).stdout
        for encoding, data in packed.items():
            status, answer = self.curl("--data-binary", "@-", "-H", "Content-Encoding: " + encoding, url, stdin=data)
            self.assertEqual((status, json.loads(answer)["accepted"]), (200, 3), encoding)
        status, answer = self.curl("--data-binary", "@-", "-H", "Content-Encoding: br", url, stdin=body)
        self.assertEqual((status, json.loads(answer)["error"]["code"]), (415, "unsupported_encoding"))
        status, _ = self.curl("--data-binary", "@-", "-H", "Content-Encoding: gzip", url, stdin=packed["gzip"][:-5])
        self.assertEqual(status, 400)
        status, answer = self.curl("--data-binary", "@-", "-H", "Content-Encoding: gzip", url, stdin=gzip.compress(b" " * 100000))
        self.assertEqual((status, json.loads(answer)["error"]["code"]), (413, "too_large"))
        status, _ = self.curl("--data-binary", "@-", url, stdin=b" " * 20000)
        self.assertEqual(status, 413)
        status, _ = self.curl("--data-binary", "@-", "-H", "Transfer-Encoding: chunked", url, stdin=b" " * 200000)
        self.assertEqual(status, 413)
        status, answer = self.curl("--data-binary", "@-", "-H", "Transfer-Encoding: chunked", url, stdin=b'{"message":"chunked"}')
        self.assertEqual((status, json.loads(answer)["accepted"]), (200, 1))
        self.assertEqual(len(self.messages()), 3 * len(packed) + 1)

    def test_wrong_paths_and_methods(self):
        gateway = self.gateway()
        self.assertEqual(gateway.post("/api/v2/logs", {})[0], 404)
        self.assertEqual(gateway.get("/api/v1/logs")[0], 405)
        host = urllib.parse.urlsplit(gateway.url)
        connection = http.client.HTTPConnection(host.hostname, host.port, timeout=10)
        for _ in range(2):                                      # the connection is kept
            connection.request("DELETE", "/v1/ingest/raw")
            answer = connection.getresponse()
            answer.read()
            self.assertEqual((answer.status, answer.getheader("Allow")), (405, "POST"))
        connection.close()

    def test_health_readiness_and_metrics(self):
        gateway = self.gateway()
        gateway.post("/v1/ingest/raw", b'{"message":"a"}\n{"message":""}\n')
        self.assertEqual(gateway.get("/health"), (200, '{"status":"healthy"}'))
        self.assertEqual(gateway.get("/healthz")[0], 200)
        self.assertEqual(gateway.get("/readyz")[0], 200)
        text = gateway.get("/metrics")[1]
        self.assertIn('logmill_gateway_records_total{outcome="accepted"} 1', text)
        self.assertIn('logmill_gateway_records_total{outcome="rejected"} 1', text)

    def test_200_clients_at_once(self):
        gateway = self.gateway()
        host = urllib.parse.urlsplit(gateway.url)

        def client(number):
            connection = http.client.HTTPConnection(host.hostname, host.port, timeout=60)
            counts = []
            for turn in range(5):
                connection.request("POST", "/api/v1/logs/batch", json.dumps({"logs": [{"message": "%d %d %d" % (number, turn, i)} for i in range(3)]}))
                answer = connection.getresponse()
                counts.append((answer.status, json.loads(answer.read())["count"]))
            connection.close()
            return counts
        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            for counts in pool.map(client, range(200)):
                self.assertEqual(counts, [(200, 3)] * 5)
        messages = self.messages()
        self.assertEqual((len(messages), len(set(messages))), (3000, 3000))


class Streams(Gateway):
    def test_header_and_query_number_the_records_of_a_body_rejected_or_not(self):
        gateway = self.gateway()
        body = b'{"message":"a"}\nnonsense\n{"message":"c"}\n'
        self.assertEqual(gateway.post("/v1/ingest/raw", body, {"Logmill-Source": "00ff00000000abcd", "Logmill-Sequence": "100"})[1]["accepted"], 2)
        self.assertEqual(gateway.post("/v1/ingest/raw?source=ffffffffffffffff&sequence=0", body)[1]["accepted"], 2)
        found = [(r["key"], r["source"], r["sequence"], r["message"]) for r in self.records()]
        self.assertEqual(sorted(found), [("00ff00000000abcd", 0xff00000000abcd, 100, "a"), ("00ff00000000abcd", 0xff00000000abcd, 102, "c"),
                                         ("ffffffffffffffff", -1, 0, "a"), ("ffffffffffffffff", -1, 2, "c")])
        for headers in ({"Logmill-Source": "1"}, {"Logmill-Sequence": "1"}, {"Logmill-Source": "x", "Logmill-Sequence": "1"},
                        {"Logmill-Source": "1", "Logmill-Sequence": "-1"}, {"Logmill-Source": "1", "Logmill-Sequence": str(2**63 - 1)},
                        {"Logmill-Source": "11112222333344445", "Logmill-Sequence": "1"}):
            self.assert_error(gateway.post("/v1/ingest/raw", body, headers), 400, "bad_request")

    def test_what_a_client_sends_again_is_stored_once(self):
        gateway = self.gateway(migrate=True)
        world = self.world_
        world.start("logmill-consumer")
        for _ in range(3):
            self.assertEqual(gateway.post("/v1/ingest/raw", b'{"message":"a"}{"message":"b"}', {"Logmill-Source": "1", "Logmill-Sequence": "0"})[0], 200)
            self.assertEqual(gateway.post("/api/v1/logs", {"message": "c", "source": "77", "sequence": 5})[0], 200)
        gateway.post("/v1/ingest/raw", b'{"message":"end"}', {"Logmill-Source": "1", "Logmill-Sequence": "2"})
        gateway.post("/api/v1/logs", {"message": "end", "source": "77", "sequence": 6})
        stored = lambda: sorted(r[0] for r in world.rows("select message from logmill.logs"))
        self.wait_until(lambda: stored().count("end") == 2)
        self.assertEqual(stored(), ["a", "b", "c", "end", "end"])


class Failures(Gateway):
    def test_without_kafka_503_with_retry_after_and_409_for_a_source_still_under_way(self):
        gateway = self.gateway("--delivery-timeout", "1s", "--kafka-reconnect-backoff-max-ms", "500", own=True)
        stream = {"Logmill-Source": "abc", "Logmill-Sequence": "7"}
        self.wait_until(lambda: gateway.post("/v1/ingest/raw", b'{"message":"before"}')[0] == 200, 30, "the first acknowledgement")
        self.world_.servers.kill_kafka()
        status, answer, headers = gateway.post("/v1/ingest/raw", b'{"message":"held"}', stream)
        self.assertEqual((status, answer["error"]["code"]), (503, "unavailable"))
        self.assertTrue(headers["Retry-After"])
        self.assert_error(gateway.post("/v1/ingest/raw", b'{"message":"held"}', stream), 409, "source_busy")
        self.assert_error(gateway.post("/api/v1/logs", {"message": "held", "source": str(0xabc), "sequence": 7}), 409, "source_busy")
        self.wait_until(lambda: gateway.get("/health")[0] == 503 and gateway.get("/readyz")[0] == 503, 30, "trouble on /health and /readyz")
        self.assertIn("acknowledged nothing", gateway.get("/health")[1])
        self.assertEqual(gateway.get("/healthz")[0], 200)
        self.world_.servers.up()
        self.wait_until(lambda: gateway.post("/v1/ingest/raw", b'{"message":"held"}', stream)[0] == 200, 60, "Kafka back")
        found = [r for r in self.records() if r["message"] == "held"]
        self.assertEqual({(r["source"], r["sequence"]) for r in found}, {(0xabc, 7)}, "a repeat that the consumer knows")
        self.wait_until(lambda: gateway.get("/readyz")[0] == 200)

    def test_a_full_queue_is_503_and_a_body_that_never_fits_413(self):
        gateway = self.gateway("--queue-records", "10", "--delivery-timeout", "2s", "--brokers", "127.0.0.1:%d" % harness.free_port(),
                               topics=False)
        status, answer, _ = gateway.post("/v1/ingest/raw", b'{"message":"x"}\n' * 11)
        self.assertEqual((status, answer["error"]["code"]), (413, "too_many_records"))
        status, answer, headers = gateway.post("/v1/ingest/raw", b'{"message":"x"}')
        self.assertEqual((status, headers["Retry-After"]), (503, "2"), answer)
        self.assertIn("full", answer["error"]["message"])
        self.assertEqual(gateway.metric("logmill_gateway_overload_total"), 1)
        begin = time.monotonic()
        gateway.process.terminate()
        time.sleep(0.3)
        gateway.process.terminate()                             # the second: at once
        self.assertIsNotNone(gateway.wait(15))
        self.assertLess(time.monotonic() - begin, 40)

    def test_a_missing_topic_is_503_not_the_records_fault(self):
        gateway = self.gateway("--kafka-topic-metadata-propagation-max-ms", "500", topics=False)
        status, answer, _ = gateway.post("/v1/ingest/raw", b'{"message":"x"}')
        self.assertEqual(status, 503)
        self.assertIn("logmill-ctl topics create", answer["error"]["message"])

    def test_a_client_that_leaves_harms_nobody_and_its_records_arrive(self):
        gateway = self.gateway()
        host = urllib.parse.urlsplit(gateway.url)
        for _ in range(20):
            with socket.create_connection((host.hostname, host.port)) as s:
                body = b'{"message":"left"}'
                s.sendall(b"POST /v1/ingest/raw HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.assertEqual(gateway.post("/v1/ingest/raw", b'{"message":"stayed"}')[0], 200)
        self.wait_until(lambda: self.messages().count("stayed") == 1)
        self.assertEqual(gateway.terminate(), 0, gateway.log())

    def test_sigterm_with_requests_under_way_loses_nothing_that_was_answered(self):
        gateway = self.gateway()
        host = urllib.parse.urlsplit(gateway.url)
        self.assertEqual(gateway.post("/api/v1/logs", {"message": "the producer's first, which waits for its connections"})[0], 200)
        seed = int(os.environ.get("LOGMILL_TEST_SEED", random.getrandbits(32)))
        print("seed %d" % seed, flush=True)

        def client(number):
            answered = []
            connection = http.client.HTTPConnection(host.hostname, host.port, timeout=30)
            for turn in range(10000):
                message = "%d %d" % (number, turn)
                try:
                    connection.request("POST", "/v1/ingest/raw", json.dumps({"message": message}))
                    answer = connection.getresponse()
                    answer.read()
                except OSError:
                    return answered
                except http.client.HTTPException:
                    return answered
                if answer.status != 200:
                    return answered
                answered.append(message)
                heard.append(message)
            return answered
        heard = []
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            clients = [pool.submit(client, n) for n in range(20)]
            self.wait_until(lambda: len(heard) > 20, what="answers")
            time.sleep(random.Random(seed).uniform(0, 1))
            self.assertEqual(gateway.terminate(), 0, gateway.log())
            answered = [m for c in clients for m in c.result()]
        self.assertEqual(set(answered) - set(self.messages()), set())

    def test_two_signals_at_any_moment_end_it_cleanly_with_and_without_a_broker(self):
        world = self.world(migrate=False)
        seed = int(os.environ.get("LOGMILL_TEST_SEED", random.getrandbits(32)))
        print("seed %d" % seed, flush=True)
        rng = random.Random(seed)
        for turn in range(12):
            options = ["--brokers", "127.0.0.1:%d" % harness.free_port()] if turn % 2 else []
            gateway = world.start("logmill-gateway", *options)
            host = urllib.parse.urlsplit(gateway.url)
            sockets = []
            for _ in range(rng.randrange(5)):
                body = b'{"message":"under way"}' * rng.randrange(1, 100)
                sockets.append(socket.create_connection((host.hostname, host.port)))
                sockets[-1].sendall(b"POST /v1/ingest/raw HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
                                    + body[:rng.choice((len(body), len(body) // 2))])
            time.sleep(rng.uniform(0, 0.2))
            gateway.process.terminate()
            time.sleep(rng.uniform(0, 0.2))
            gateway.process.terminate()
            self.assertEqual(gateway.wait(20), 0, gateway.log())
            self.assertNotIn("left open", gateway.log(), "seed %d" % seed)
            for s in sockets:
                s.close()

    def test_what_keeps_it_from_starting_is_said_and_leaves_nothing_open(self):
        gateway = self.gateway()
        port = gateway.url.rsplit(":", 1)[1]
        second = self.world_.start("logmill-gateway", "--listen", "127.0.0.1:" + port, ready=False)
        self.assertEqual(second.wait(20), 1)
        self.assertIn(port, second.log())
        self.assertNotIn("left open", second.log())
        third = self.world_.start("logmill-gateway", "--kafka-acks", "1", ready=False)
        self.assertEqual(third.wait(20), 1)
        self.assertIn("acks", third.log())


if __name__ == "__main__":
    unittest.main()
