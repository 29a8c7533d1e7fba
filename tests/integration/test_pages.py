"""What a page in a browser may do: ask across origins, after the preflight that a browser makes, and open a WebSocket with a ticket."""
import concurrent.futures
import http.client
import json
import re
import time
import unittest

import harness
import stored
import test_websocket

PANEL = "https://panel.example:8443"
HOUR = "how many errors in the last 24 hours?"
SAFE_HEADERS = {"accept", "accept-language", "content-language"}
SAFE_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


class Barred(Exception):
    """The browser keeps the answer from the page."""


class Page:
    """fetch() of a page, as the Fetch Standard has it (4.8, CORS-preflight fetch, and 4.10, CORS check), without credentials."""

    def __init__(self, agent, origin=PANEL):
        self.host, self.origin, self.preflights = agent.url[7:], origin, 0

    def send(self, method, path, body, headers):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request(method, path, body, dict(headers, Origin=self.origin))
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer

    def checked(self, answer):
        if answer.getheader("Access-Control-Allow-Origin") not in ("*", self.origin):
            raise Barred(answer.status)
        return answer

    def preflight(self, method, path, unsafe):
        self.preflights += 1
        asked = {"Access-Control-Request-Method": method}
        if unsafe:
            asked["Access-Control-Request-Headers"] = ",".join(sorted(unsafe))
        answer = self.checked(self.send("OPTIONS", path, None, asked))
        methods = [m.strip() for m in answer.getheader("Access-Control-Allow-Methods", "").split(",")]
        allowed = {h.strip().lower() for h in answer.getheader("Access-Control-Allow-Headers", "").split(",")}
        if not 200 <= answer.status < 300 or method not in methods + ["GET", "HEAD", "POST"] or unsafe - allowed:
            raise Barred(answer.status)

    def fetch(self, path, method="GET", body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        unsafe = {name.lower() for name, value in headers.items() if name.lower() not in SAFE_HEADERS
                  and not (name.lower() == "content-type" and value in SAFE_TYPES)}
        if unsafe or method not in ("GET", "HEAD", "POST"):
            self.preflight(method, path, unsafe)
        return self.checked(self.send(method, path, body, headers))

    def ask(self, question=HOUR, **headers):
        return self.fetch("/query", "POST", json.dumps({"question": question}), Content_Type="application/json", **headers)

    def seen(self, answer, name):
        """A header as the page's script sees it."""
        shown = {h.strip().lower() for h in answer.getheader("Access-Control-Expose-Headers", "").split(",")}
        return answer.getheader(name) if name.lower() in shown | {"content-type", "cache-control"} else None


def setUpModule():
    global world, keys, agent
    world = harness.World(harness.Servers(), topics=False)
    stored.fill(world)
    keys = {name: re.search(r"lm_\w+", world.ctl("keys", "create", "--postgres-url", world.admin_url, *options).stdout).group(0)
            for name, options in (("reads", ()), ("scoped", ("--service", "order-service")), ("revoked", ()), ("rate", ()))}
    agent = world.start("logmill-agent", "--cors-origins", PANEL + ",http://127.0.0.1:3000", "--rate-burst", "1000")


def tearDownModule():
    stuck = world.close()
    if stuck:
        raise AssertionError("programs that SIGTERM did not end: %s" % stuck)


class Origins(harness.Case):
    def start(self, *options):
        started = world.start("logmill-agent", *options)
        self.addCleanup(started.terminate)
        return started

    def test_a_listed_page_asks_after_its_preflight(self):
        for origin in (PANEL, "http://127.0.0.1:3000"):
            page = Page(agent, origin)
            answer = page.ask(X_API_Key=keys["reads"], X_Request_Id="page-1")
            self.assertEqual((200, 1), (answer.status, page.preflights))
            self.assertEqual(1, json.loads(answer.text)["count"])
            self.assertEqual("page-1", page.seen(answer, "X-Request-Id"))
            self.assertIn("Origin", answer.getheader("Vary"))
            self.assertEqual(200, page.fetch("/schema", Authorization="Bearer " + keys["reads"]).status)
            self.assertEqual(200, page.fetch("/openapi.json").status)
            events = page.ask(X_API_Key=keys["reads"], Accept="text/event-stream")
            self.assertIn('"type":"result"', events.text)

    def test_a_page_can_read_why_it_was_refused(self):
        page = Page(agent)
        self.assertEqual(401, page.ask().status)
        self.assertEqual(422, page.ask("delete all logs", X_API_Key=keys["reads"]).status)
        self.assertEqual(404, page.fetch("/nothing").status)
        self.assertEqual(405, page.fetch("/query").status)
        self.assertEqual(413, page.fetch("/query", "POST", "x" * 70000).status)
        limited = self.start("--cors-origins", PANEL, "--rate-limit", "1", "--rate-burst", "1")
        page = Page(limited)
        self.assertEqual([200, 429], [page.ask(X_API_Key=keys["rate"]).status for _ in range(2)])
        self.assertGreater(int(page.seen(page.ask(X_API_Key=keys["rate"]), "Retry-After")), 0)

    def test_a_body_cut_off_in_the_middle_is_answered_across_origins_too(self):
        connection = http.client.HTTPConnection(agent.url[7:], timeout=30)
        connection.putrequest("POST", "/query")
        for header in (("Origin", PANEL), ("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")):
            connection.putheader(*header)
        connection.endheaders()
        connection.send(b"12000\r\n" + b" " * 0x11000)
        answer = connection.getresponse()
        self.assertEqual((413, PANEL), (answer.status, answer.getheader("Access-Control-Allow-Origin")))
        connection.close()

    def test_pages_that_are_not_listed_see_nothing(self):
        for origin in ("https://elsewhere.example", "https://panel.example", "null", "https://panel.example:8443.evil.example"):
            page = Page(agent, origin)
            for what in (lambda: page.ask(X_API_Key=keys["reads"]), lambda: page.fetch("/openapi.json"), lambda: page.fetch("/nothing")):
                with self.subTest(origin=origin), self.assertRaises(Barred):
                    what()

    def test_what_is_no_preflight_is_no_answer(self):
        page = Page(agent)
        for path, headers, status in (("/query", {}, 405), ("/query", {"Access-Control-Request-Method": "POST"}, 204),
                                      ("/nothing", {"Access-Control-Request-Method": "POST"}, 404)):
            answer = page.send("OPTIONS", path, None, headers)
            self.assertEqual(status, answer.status, (path, headers))
            self.assertEqual(status == 204, answer.getheader("Access-Control-Allow-Methods") == "POST")
            self.assertIsNone(answer.getheader("Access-Control-Allow-Credentials"))

    def test_off_unless_listed_and_any_where_said(self):
        off, anyone = self.start(), self.start("--cors-origins", "*")
        with self.assertRaises(Barred):
            Page(off).ask(X_API_Key=keys["reads"])
        answer = Page(off).send("GET", "/openapi.json", None, {})
        self.assertEqual([], [h for h, _ in answer.getheaders() if h.startswith("Access-Control")])
        self.assertNotIn("Origin", answer.getheader("Vary", ""))
        self.assertEqual(200, Page(anyone, "https://who.example").ask(X_API_Key=keys["reads"]).status)
        client = test_websocket.Client(anyone, {"Origin": "https://who.example", "X-API-Key": keys["reads"]})
        self.addCleanup(client.close)
        self.assertEqual(101, client.status)

    def test_what_is_no_origin_is_refused_at_the_start(self):
        broken = world.start("logmill-agent", "--cors-origins", "https://panel.example/app", ready=False)
        self.assertNotEqual(0, broken.wait(20))
        self.assertIn('https://panel.example/app\\" is no origin', broken.log())

    def test_without_keys_a_name_that_leads_here_opens_nothing(self):
        """DNS rebinding: a page of evil.example whose name leads to 127.0.0.1 is of one origin with the agent behind it."""
        other = harness.World(harness.Servers(), topics=False)
        self.addCleanup(other.close)
        open_to_us = other.start("logmill-agent")
        port = open_to_us.url.rsplit(":", 1)[1]
        page = Page(open_to_us, "http://evil.example:" + port)
        for host, status in (("evil.example:" + port, 401), ("127.0.0.1.evil.example", 401), ("localhost:" + port, 200), ("[::1]", 200)):
            with self.subTest(host=host):
                self.assertEqual(status, page.send("GET", "/schema", None, {"Host": host}).status)
                client = test_websocket.Client(open_to_us, {"Host": host, "Origin": "http://" + host})
                self.assertEqual(101 if status == 200 else 401, client.status)
                client.close()


class Tickets(harness.Case):
    def ticket(self, key, of=None):
        status, body, headers = (of or agent).post("/ws/ticket", b"", {"X-API-Key": key} if key else {})
        self.assertEqual((200, 60, "no-store"), (status, body.get("expires_in"), headers["Cache-Control"]), body)
        return body["ticket"]

    def client(self, *protocols, of=None, **headers):
        client = test_websocket.Client(of or agent, dict(headers, **{"Sec-WebSocket-Protocol": ", ".join(("logmill",) + protocols)}))
        self.addCleanup(client.close)
        return client

    def test_a_ticket_opens_one_connection_with_the_rights_of_its_key(self):
        ticket = self.ticket(keys["scoped"])
        client = self.client("ticket." + ticket, Origin=PANEL)
        self.assertEqual((101, "logmill"), (client.status, client.headers["sec-websocket-protocol"]))
        rows = client.answer("a", "count of logs by service in the last 24 hours")["content"]["results"]
        self.assertEqual({"order-service"}, {r["service"] for r in rows})
        self.assertEqual(401, self.client("ticket." + ticket).status)
        self.assertNotIn(ticket, agent.log())

    def test_what_is_no_ticket_opens_nothing(self):
        def asked(header):                                                                  # it is no key
            return agent.post("/query", {"question": HOUR}, header)[0]
        for status, use in ((401, lambda t: self.client("ticket." + t[:-1]).status),
                            (401, lambda t: self.client("ticket." + t[:-1] + ("0" if t[-1] != "0" else "1")).status),
                            (401, lambda t: self.client("ticket." + "0" * 48).status), (401, lambda t: self.client("ticket." + "x" * 500).status),
                            (401, lambda t: self.client("ticket." + t.upper()).status),
                            (400, lambda t: self.client("ticket." + t, "key." + keys["reads"]).status),
                            (403, lambda t: self.client("ticket." + t, Origin="https://elsewhere.example").status),
                            (401, lambda t: asked({"X-API-Key": t})), (401, lambda t: asked({"Authorization": "Bearer " + t})),
                            (401, lambda t: agent.get("/schema?ticket=" + t)[0])):
            ticket = self.ticket(keys["reads"])
            self.assertEqual(status, use(ticket))
            self.assertEqual(101, self.client("ticket." + ticket).status)                   # and is still good

    def test_only_who_may_read_gets_one(self):
        for headers in ({}, {"X-API-Key": "lm_x"}):
            self.assertEqual(401, agent.post("/ws/ticket", b"", headers)[0])
        self.assertEqual(405, agent.get("/ws/ticket")[0])
        self.assertEqual(413, agent.post("/ws/ticket", b"x", {"X-API-Key": keys["reads"]})[0])

    def test_no_more_than_so_many_unused(self):
        key = re.search(r"lm_\w+", world.ctl("keys", "create", "--postgres-url", world.admin_url).stdout).group(0)
        tickets, refused = [], []

        def take(_):
            while not refused:
                begin = time.monotonic()
                status, body, _ = agent.post("/ws/ticket", b"", {"X-API-Key": key})
                (tickets if status == 200 else refused).append((begin, body))
        with concurrent.futures.ThreadPoolExecutor(16) as several:                          # none is to end before the last is taken
            list(several.map(take, range(16)))
        self.assertEqual({"too_many_requests"}, {body["error"]["code"] for _, body in refused})
        ended = sum(begin < tickets[-1][0] - 50 for begin, _ in tickets)
        self.assertIn(len(tickets), range(64, 65 + ended))
        self.assertEqual(101, self.client("ticket." + tickets[-1][1]["ticket"]).status)
        self.ticket(key)

    def test_a_key_revoked_meanwhile_opens_nothing(self):
        first, second = self.ticket(keys["revoked"]), self.ticket(keys["revoked"])
        asked = time.monotonic()
        self.assertEqual(101, self.client("ticket." + first).status)
        world.ctl("keys", "revoke", keys["revoked"][3:11], "--postgres-url", world.admin_url)
        self.wait_until(lambda: agent.post("/query", {"question": HOUR}, {"X-API-Key": keys["revoked"]})[0] == 401, 15)
        self.assertEqual(401, self.client("ticket." + second).status)
        if time.monotonic() - asked > 60:
            self.skipTest("the ticket was too old in any case")


if __name__ == "__main__":
    unittest.main()
