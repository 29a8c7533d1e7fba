"""API keys, roles, scopes, what is masked, rate limits, history: held by the agent, and by PostgreSQL with the agent out of the way."""
import concurrent.futures
import contextlib
import json
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import harness
import stored

HOUR = "how many errors in the last 24 hours?"
ALL = "how many logs in the last 24 hours?"
SERVICES = ("payment-service", "order-service", "auth-service", "catalog-service")
MASKED = ("user_id", "client_ip", "host", "message", "metadata.retry")

# Some of it in another environment, patterns with templates, and folds: what a scope must not see of the rest.
MORE = """
update logmill.logs set environment = 'staging' where service = 'auth-service' and kafka_offset % 2 = 0;
delete from logmill.log_name where service = 'auth-service' and kind in ('environment', 'service');
insert into logmill.log_name select k.kind, k.value, category, service, environment, kafka_partition, min(created_at), max(created_at),
       count(*) from logmill.logs, lateral (values ('service', service), ('environment', environment)) k (kind, value)
       where service = 'auth-service' group by 1, 2, 3, 4, 5, 6;
insert into logmill.log_name select 'host', 'only-of-' || s, 'raw', s, 'production', 0, now(), now(), 1
       from unnest(array['payment-service', 'order-service']) s;
insert into logmill.log_pattern values (101, 'template of payment', now()), (102, 'template of order', now()) on conflict do nothing;
insert into logmill.error_pattern_hour values
    (date_trunc('hour', now()) - interval '2 h', 'raw', 'payment-service', 'production', 'E', 101, 0, 1, now(), now(), 'sample of payment'),
    (date_trunc('hour', now()) - interval '2 h', 'raw', 'order-service', 'production', 'E', 102, 0, 1, now(), now(), 'sample of order');
insert into logmill.fold_hour select distinct date_trunc('hour', minute, 'UTC'), c, 0
       from logmill.log_rollup_minute, unnest(enum_range(null::logmill.log_category)) c;
insert into logmill.log_rollup_hour select date_trunc('hour', minute, 'UTC'), category, service, environment, level, sum(n),
       sum(duration_n), sum(duration_sum_us), max(duration_max_us) from logmill.log_rollup_minute
       group by 1, 2, 3, 4, 5;
insert into logmill.duration_hour (hour, category, service, environment, histogram, info)
select hour, category, service, environment, sum(n) * 1e3200, sum(n) * 1e3200 from logmill.log_rollup_hour group by 1, 2, 3, 4
union all select distinct hour, category, 'order-service', 'staging', 1e3200, 1e3200 from logmill.log_rollup_hour;
insert into logmill.total_hour select * from logmill.hour_totals;
insert into logmill.count_hour select * from logmill.hour_counts;
insert into logmill.service_duration_hour select * from logmill.hour_service_durations;
insert into logmill.fold_day values ('UTC', date_trunc('day', now() - interval '1 day', 'UTC'), date_trunc('day', now(), 'UTC'), 'raw', 0);
insert into logmill.log_rollup_day (zone, day, category, service, environment, level, n, duration_n, duration_sum_us)
select 'UTC', date_trunc('day', now() - interval '1 day', 'UTC'), category, service, environment, level, sum(n), 0, 0
       from logmill.log_rollup_minute group by 3, 4, 5, 6;
insert into logmill.duration_day (zone, day, category, service, environment, histogram, info)
select zone, day, category, service, environment, sum(n) * 1e3200, sum(n) * 1e3200 from logmill.log_rollup_day group by 1, 2, 3, 4, 5;
insert into logmill.total_day select * from logmill.day_totals;
insert into logmill.count_day select * from logmill.day_counts;
insert into logmill.service_duration_day select * from logmill.day_service_durations;
"""


class Access(harness.Case):
    agent_options = ()

    @classmethod
    def setUpClass(cls):
        cls.it = harness.World(harness.Servers(), topics=False)
        cls.addClassCleanup(cls.close_class)
        stored.fill(cls.it)
        cls.it.rows(MORE)
        cls.keys = {
            "viewer": cls.create("--role", "viewer", "--name", "a viewer"),
            "operator": cls.create("--role", "operator"),
            "admin": cls.create("--role", "admin"),
            "payment": cls.create("--service", "payment-service"),
            "payment admin": cls.create("--role", "admin", "--service", "payment-service"),
            "two": cls.create("--role", "admin", "--service", "auth-service,catalog-service"),
            "staging": cls.create("--role", "admin", "--environment", "staging"),
            "nothing": cls.create("--role", "admin", "--service", "no-such-service"),
        }
        cls.agent = cls.it.start("logmill-agent", "--mask", ",".join(MASKED), "--rate-burst", "100000", "--rate-limit", "1000000",
                                 *cls.agent_options)

    @classmethod
    def close_class(cls):
        code = cls.agent.terminate() if hasattr(cls, "agent") else 0
        log = cls.agent.log()[-2000:] if hasattr(cls, "agent") else ""
        stuck = cls.it.close()
        if stuck or code != 0:
            raise AssertionError("exit %s, stuck %s: %s" % (code, stuck, log))

    @classmethod
    def create(cls, *options):
        """A new key, as it is shown."""
        return cls.it.ctl("keys", "create", "--postgres-url", cls.it.admin_url, *options).stdout.strip()

    def get(self, path, key=None, agent=None, **headers):
        """(status, parsed JSON, headers) of a GET."""
        sent = dict(headers, **({"Authorization": "Bearer " + key} if key else {}))
        request = urllib.request.Request((agent or self.agent).url + path, headers={k.replace("_", "-"): v for k, v in sent.items()})
        try:
            with urllib.request.urlopen(request, timeout=20) as r:
                return r.status, json.loads(r.read()), r.headers
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read()), e.headers

    def ask(self, question, key=None, status=200, path="/query", agent=None, **keys):
        headers = {"Authorization": "Bearer " + key} if key else {}
        got, body, _ = (agent or self.agent).post(path, dict({"question": question}, **keys), headers)
        self.assertEqual(status, got, body)
        return body

    def number(self, question, key, **keys):
        return list(self.ask(question, key, **keys)["results"][0].values())[0]

    def refused(self, status, code, question, key, **keys):
        error = self.ask(question, key, status, **keys)["error"]
        self.assertEqual(code, error["code"], error)
        return error


class Keys(Access):
    def test_without_a_good_key_nothing_is_shown(self):
        good = self.keys["admin"]
        flip = {"a": "b"}
        bad = [None, "", "x", "lm_", good[:-1], good + "x", good.upper(), good.replace("_", "-"), " " + good, good + "\t",
               good[:-1] + flip.get(good[-1], "a"),                       # the check
               good[:20] + flip.get(good[20], "a") + good[21:],           # the secret: the check does not fit
               "lm_00000000_" + "0" * 32 + "_000000", "lm_%s_%s_%s" % ("é" * 8, "0" * 32, "0" * 6), "' OR 1=1 --", "A" * 4000]
        for key in bad:
            for path in ("/schema", "/suggest?q=err", "/history"):
                with self.subTest(key=key, path=path):
                    headers = {} if key is None else {"X_API_Key": key.encode("utf-8").decode("latin-1")}
                    if key is not None and key.strip() == good:
                        continue                            # white space around a header's value is not part of it
                    status, body, answer = self.get(path, **headers)
                    self.assertEqual((401, "unauthorized"), (status, body["error"]["code"]))
                    self.assertEqual("Bearer", answer["WWW-Authenticate"])
            for path in ("/query", "/explain"):
                with self.subTest(key=key, path=path):
                    if key is None:
                        self.refused(401, "unauthorized", HOUR, None, path=path)
        for path in ("/query?key=" + good, "/query?api_key=" + good):
            self.refused(401, "unauthorized", HOUR, None, path=path)   # never from the URL
        self.assertEqual(401, self.get("/schema", Authorization="Basic " + good, X_API_Key=good)[0])

    def test_both_headers_take_a_key(self):
        for headers in ({"X_API_Key": self.keys["viewer"]}, {"Authorization": "Bearer " + self.keys["viewer"]},
                        {"Authorization": "bearer  " + self.keys["viewer"]}, {"x_api_key": self.keys["viewer"]}):
            self.assertEqual(200, self.get("/schema", **headers)[0], headers)

    def test_a_wrong_check_is_refused_without_a_look_up(self):
        agent = self.it.start("logmill-agent")
        self.addCleanup(agent.terminate)
        self.assertEqual(200, self.get("/schema", self.keys["admin"], agent)[0])
        with self.tracked():
            before = self.lookups()
            for i in range(20):
                self.assertEqual(401, self.get("/schema", "lm_%08d_%s_%06d" % (i, "0" * 32, i), agent)[0])
            self.assertEqual(before, self.lookups())
            # A key that was never made, of the right form, is looked up, and remembered for ten seconds.
            made_up, begin = self.forged(), time.monotonic()
            for _ in range(5):
                self.assertEqual(401, self.get("/schema", made_up, agent)[0])
            self.assertIn(self.lookups() - before, range(1, 2 + int((time.monotonic() - begin) / 10)))

    def forged(self):
        """A key of the right form that no database knows."""
        key = self.create("--name", "forged")
        self.it.rows("delete from logmill.access_key where prefix = '%s'" % key[3:11])
        return key

    @contextlib.contextmanager
    def tracked(self):
        """Counts the calls of auth_key: it is replaced by one that writes them down."""
        source = self.it.value("select pg_get_functiondef('logmill.auth_key'::regproc)")
        self.it.rows("""
            create sequence logmill.looked_up; grant usage on sequence logmill.looked_up to logmill_owner;
            alter function logmill.auth_key rename to auth_key_inner;
            set role logmill_owner;
            create function logmill.auth_key(in_prefix text, OUT any_key boolean, OUT hash text, OUT role text, OUT usable_us bigint,
                OUT scope_role text, OUT scope_version bigint, OUT services text, OUT environments text)
                language sql volatile security definer set search_path = pg_catalog, pg_temp
                as $$ select nextval('logmill.looked_up'); select * from logmill.auth_key_inner(in_prefix) $$;
            grant execute on function logmill.auth_key to logmill_agent""")
        try:
            yield
        finally:
            self.it.rows("drop function logmill.auth_key; alter function logmill.auth_key_inner rename to auth_key; "
                         "drop sequence logmill.looked_up")
            self.assertEqual(source, self.it.value("select pg_get_functiondef('logmill.auth_key'::regproc)"))

    def lookups(self):
        return int(self.it.value("select case when is_called then last_value else 0 end from logmill.looked_up"))

    def test_the_prefix_of_a_key_with_another_secret_is_refused(self):
        good, other = self.create(), self.create()
        # The check of the mixed key is right: what is compared is the hash.
        self.it.rows("update logmill.access_key set hash = (select hash from logmill.access_key where prefix = '%s') where prefix = '%s'"
                     % (other[3:11], good[3:11]))
        self.assertEqual(401, self.get("/schema", good)[0])
        self.assertEqual(200, self.get("/schema", other)[0])

    def test_a_revoked_key_is_refused_within_ten_seconds(self):
        key = self.create("--name", "short life")
        self.assertEqual(200, self.get("/schema", key)[0])
        self.it.ctl("keys", "revoke", key[3:11], "--postgres-url", self.it.admin_url)
        self.wait_until(lambda: self.get("/schema", key)[0] == 401, 11, "the revoked key refused")
        listed = self.it.ctl("keys", "list", "--postgres-url", self.it.admin_url).stdout
        self.assertRegex(listed, r"(?m)^%s  viewer    revoked .*short life$" % key[3:11])

    def test_a_key_expires_to_the_second(self):
        def seen_good():
            key = self.create("--expires", "4s")
            return key if self.get("/schema", key)[0] == 200 else None
        key = self.wait_until(seen_good, 20, "a key used before its end")
        until = float(self.it.value("select extract(epoch from expires_at) from logmill.access_key where prefix = '%s'" % key[3:11]))

        def refused():
            begin = time.time()
            status = self.get("/schema", key)[0]
            self.late_use = status == 200 and begin > until + 4
            return status == 401 or self.late_use
        self.wait_until(refused, 20, "the expired key refused")
        self.assertFalse(self.late_use)                     # though it was known, and believed, for ten seconds

    def test_nothing_of_a_key_but_its_prefix_is_kept_anywhere(self):
        key = self.create()
        self.ask(HOUR, key)
        secret = key.split("_")[2]
        self.wait_until(lambda: int(self.it.value("select count(*) from logmill.audit_log where api_key = '%s'" % key[3:11])) == 1, 5)
        self.assertNotIn(secret, subprocess.run(["pg_dump", self.it.admin_url, "--data-only"], capture_output=True, text=True).stdout)
        self.assertNotIn(secret, self.agent.log())
        self.assertNotIn(secret, self.agent.get("/metrics")[1])
        self.assertEqual("32", self.it.value("select length(hash) from logmill.access_key where prefix = '%s'" % key[3:11]))
        self.wait_until(lambda: self.it.value("select last_used_at is not null from logmill.access_key where prefix = '%s'"
                                              % key[3:11]) == "t", 5, "when it was last used")

    def test_keys_create_says_what_is_wrong(self):
        for options in (("--role", "root"), ("--service", ",".join("s%d" % i for i in range(40)),), ("--expires", "soon")):
            p = self.it.ctl("keys", "create", "--postgres-url", self.it.admin_url, *options, check=False)
            self.assertNotEqual(0, p.returncode)
            self.assertEqual("", p.stdout)
        self.assertEqual(1, self.it.ctl("keys", "revoke", "00000000", "--postgres-url", self.it.admin_url, check=False).returncode)
        self.assertEqual(2, self.it.ctl("keys", "burn", "--postgres-url", self.it.admin_url, check=False).returncode)

    def test_with_a_key_the_agent_may_listen_to_others(self):
        port = harness.free_port()
        agent = self.it.start("logmill-agent", "--listen", "0.0.0.0:%d" % port, ready=False)
        self.addCleanup(agent.terminate)
        agent.url = "http://127.0.0.1:%d" % port
        self.wait_until(agent.ready, 20)
        self.assertEqual(401, self.get("/schema", agent=agent)[0])
        self.assertEqual(200, self.get("/schema", self.keys["viewer"], agent)[0])

    def test_with_auth_off_nobody_needs_one(self):
        agent = self.it.start("logmill-agent", "--auth", "off")
        self.addCleanup(agent.terminate)
        self.assertEqual(200, self.get("/schema", agent=agent)[0])
        self.assertEqual(200, self.get("/history", agent=agent)[0])

    def test_while_no_key_was_made_this_machine_needs_none_and_from_then_on_it_does(self):
        world = self.world(topics=False)
        agent = world.start("logmill-agent")
        self.assertEqual(200, self.get("/schema", agent=agent)[0])
        self.assertEqual(401, self.get("/schema", self.keys["admin"], agent)[0])      # a wrong key is one too many
        key = world.ctl("keys", "create", "--postgres-url", world.admin_url).stdout.strip()
        self.wait_until(lambda: self.get("/schema", agent=agent)[0] == 401, 11, "a key needed")
        self.assertEqual(200, self.get("/schema", key, agent)[0])
        world.ctl("keys", "revoke", key[3:11], "--postgres-url", world.admin_url)
        self.wait_until(lambda: self.get("/schema", key, agent)[0] == 401, 11, "revoked")
        self.assertEqual(401, self.get("/schema", agent=agent)[0])                    # and the door does not open again


class Rates(Access):
    def test_a_key_that_asks_too_often_waits_and_the_others_do_not(self):
        agent = self.it.start("logmill-agent", "--rate-limit", "30", "--rate-burst", "5")
        self.addCleanup(agent.terminate)
        key = self.keys["viewer"]
        for _ in range(5):
            self.ask(HOUR, key, agent=agent)
        def ask():
            return agent.post("/query", {"question": HOUR}, {"X-API-Key": key})
        # One in two seconds comes on top of the burst: at once they are too many, however long each of them takes.
        def at_once():
            with concurrent.futures.ThreadPoolExecutor(12) as several:
                return next(a for a in list(several.map(lambda _: ask(), range(12))) if a[0] == 429)
        _, body, headers = self.wait_until(at_once, what="refused")
        self.assertEqual("too_many_requests", body["error"]["code"])
        self.assertIn(int(headers["Retry-After"]), (1, 2))
        self.ask(HOUR, self.keys["operator"], agent=agent)
        self.wait_until(lambda: ask()[0] == 200, 3, "a token again")
        self.assertGreater(agent.metric("logmill_agent_refused_total"), 0)

    def test_nothing_is_limited_at_0(self):
        agent = self.it.start("logmill-agent", "--rate-limit", "0", "--rate-burst", "1")
        self.addCleanup(agent.terminate)
        for _ in range(20):
            self.assertEqual(200, self.get("/schema", self.keys["viewer"], agent)[0])


class Rights(Access):
    def export(self, key, question="show errors of the last 24 hours"):
        body = json.dumps({"question": question, "format": "csv"}).encode()
        return self.agent.post("/export", body, {"X-API-Key": self.keys[key], "Content-Type": "application/json"})

    def test_every_role_reads_and_viewers_do_not_export(self):
        for role, exported in (("viewer", 403), ("operator", 200), ("admin", 200)):
            for path in ("/schema", "/suggest?q=err", "/history"):
                self.assertEqual(200, self.get(path, self.keys[role])[0])
            self.assertEqual(403 if role == "viewer" else 200, self.export(role)[0])
            for path in ("/query", "/explain"):
                self.ask(HOUR, self.keys[role], path=path)
        self.assertEqual("forbidden", self.export("viewer")[1]["error"]["code"])

    def test_an_export_holds_rows_of_the_scope_only(self):
        status, text, _ = self.export("payment admin", "show logs of the last 24 hours")
        self.assertEqual(200, status)
        self.assertIn("payment-service", text)
        for other in SERVICES[1:]:
            self.assertNotIn(other, text)
        self.assertIn("order-service", self.export("admin", "show logs of the last 24 hours")[1])


class History(Access):
    def test_a_key_sees_its_own_questions_and_an_admin_everybodys(self):
        mine, other = self.create(), self.create("--role", "operator")
        for key, question in ((mine, HOUR), (other, ALL), (mine, "show errors of the last hour")):
            self.ask(question, key)
        self.wait_until(lambda: len(self.get("/history", mine)[1]["history"]) == 2, 5, "the audit log written")
        page = self.get("/history", mine)[1]
        self.assertEqual(["show errors of the last hour", HOUR], [h["question"] for h in page["history"]])
        self.assertEqual({mine[3:11]}, {h["key"] for h in page["history"]})
        self.assertEqual(("viewer", "answered", "127.0.0.1", 1), tuple(page["history"][1][k] for k in ("role", "verdict", "address", "count")))
        self.assertIsNone(page["before"])
        self.assertEqual([ALL], [h["question"] for h in self.get("/history", other)[1]["history"]])
        everybodys = {h["key"] for h in self.get("/history?limit=1000", self.keys["admin"])[1]["history"]}
        self.assertLessEqual({mine[3:11], other[3:11]}, everybodys)
        self.ask(HOUR, self.keys["payment admin"])
        self.wait_until(lambda: self.get("/history", self.keys["payment admin"])[1]["history"], 5)
        self.assertEqual({self.keys["payment admin"][3:11]},
                         {h["key"] for h in self.get("/history", self.keys["payment admin"])[1]["history"]})
        # The intent of a line is good as `previous`.
        self.ask("only payment-service", mine, previous=page["history"][1]["intent"])

    def test_pages_follow_one_another(self):
        key = self.create()
        for i in range(5):
            self.ask("show %d errors of the last hour" % (i + 1), key)
        self.wait_until(lambda: len(self.get("/history", key)[1]["history"]) == 5, 5)
        seen, before = [], None
        while True:
            status, page, _ = self.get("/history?limit=2" + ("&before=" + urllib.parse.quote(before) if before else ""), key)
            self.assertEqual(200, status, page)
            seen += [h["question"] for h in page["history"]]
            before = page["before"]
            if before is None:
                break
        self.assertEqual(["show %d errors of the last hour" % i for i in (5, 4, 3, 2, 1)], seen)
        for wrong in ("limit=0", "limit=1001", "limit=x", "before=yesterday"):
            self.assertEqual(400, self.get("/history?" + wrong, key)[0], wrong)


class Scopes(Access):
    def test_counts_are_those_of_the_scope(self):
        for key, where in (("payment", "service = 'payment-service'"), ("two", "service in ('auth-service', 'catalog-service')"),
                           ("staging", "environment = 'staging'"), ("nothing", "false"), ("admin", "true")):
            with self.subTest(key=key):
                # Of the rows: the rollups know nothing of what MORE changed.
                answer = self.ask("how many 404 responses in the last 24 hours?", self.keys[key])
                expected = int(self.it.value("select count(*) from logmill.logs where http_status = 404 and created_at >= '%s' and "
                                             "created_at < '%s' and %s" % (answer["from"], answer["to"], where)))
                self.assertEqual([expected], list(answer["results"][0].values())[:1])

    def test_the_filter_stands_in_the_sql_as_well(self):
        for question in (HOUR, "show errors of the last hour", "errors by service in the last 24 hours", "when was the last error?",
                         "top 3 error patterns today", "why did errors rise in the last hour?"):
            with self.subTest(question=question):
                sql = self.ask(question, self.keys["payment admin"], path="/explain")["sql"]
                self.assertIn("service IN ('payment-service')", sql)
        self.assertIn("environment IN ('staging')", self.ask(HOUR, self.keys["staging"], path="/explain")["sql"])
        self.assertNotIn("service IN", self.ask(HOUR, self.keys["admin"], path="/explain")["sql"])

    def test_only_names_of_the_scope_are_known(self):
        page = self.get("/schema", self.keys["payment admin"])[1]
        self.assertEqual(["payment-service"], [n["value"] for n in page["names"]["service"]])
        self.assertIn("only-of-payment-service", [n["value"] for n in page["names"]["host"]])
        self.assertNotIn("order-service", json.dumps(page))
        self.assertEqual(["staging"], [n["value"] for n in self.get("/schema", self.keys["staging"])[1]["names"]["environment"]])
        self.assertEqual(set(SERVICES), {n["value"] for n in self.get("/schema", self.keys["admin"])[1]["names"]["service"]})
        for q in ("order", "errors of auth", "", "only-of", "cata"):
            text = json.dumps(self.get("/suggest?q=" + urllib.parse.quote(q), self.keys["payment admin"])[1])
            for other in SERVICES[1:] + ("only-of-order",):
                self.assertNotIn(other, text)

    def test_another_scopes_name_is_unknown_and_not_named(self):
        for question in ("how many errors in order-service in the last hour?", "오더 서비스 order-service 에러 몇 건?",
                         "how many errors in service order-servic today?"):
            error = self.refused(422, "unknown_entity", question, self.keys["payment admin"])
            for other in SERVICES[1:]:
                self.assertNotIn(other, json.dumps(error["suggestions"]))

    def test_previous_is_linked_again(self):
        intent = self.ask("how many errors in order-service in the last 24 hours?", self.keys["admin"])["intent"]
        error = self.refused(422, "unknown_entity", "yesterday?", self.keys["payment admin"], previous=intent)
        self.assertNotIn("order-service", json.dumps(error["suggestions"]))

    def test_break_downs_lists_patterns_and_evidence_hold_nothing_of_others(self):
        for question in ("errors by service in the last 24 hours", "show logs of the last 24 hours", "errors by host in the last 24 hours",
                         "top 10 error patterns in the last 24 hours", "why did errors rise in the last 6 hours?",
                         "which services are there?", "first seen of each service", "errors by service compared with the day before"):
            with self.subTest(question=question):
                got, body, _ = self.agent.post("/query", {"question": question, "max_results": 10000},
                                               {"X-API-Key": self.keys["payment admin"]})
                self.assertIn(got, (200, 422), body)
                text = json.dumps(dict(body, sql=""))
                for other in SERVICES[1:] + ("of order",):
                    self.assertNotIn(other, text)
        patterns = self.ask("top 10 error patterns in the last 24 hours", self.keys["admin"])["results"]
        self.assertIn("template of order", json.dumps(patterns))        # the test can fail

    def test_answers_are_never_shared_between_scopes(self):
        question = "how many logs in the last 24 hours?"
        numbers = {key: self.number(question, self.keys[key]) for key in ("admin", "payment admin", "two", "payment admin", "admin")}
        self.assertEqual(len(set(numbers.values())), 3, numbers)
        again = self.ask(question, self.keys["payment admin"])
        self.assertEqual(numbers["payment admin"], list(again["results"][0].values())[0])
        # A viewer and an admin of the same scope differ in what is masked.
        self.assertFalse(self.ask("show errors of yesterday", self.keys["payment admin"])["cached"])
        self.assertFalse(self.ask("show errors of yesterday", self.keys["payment"])["cached"])
        # The scope's lists changed: what was cached is not found any more.
        key = self.create("--role", "admin", "--service", "order-service", "--service", "catalog-service")
        before = self.number(question, key)
        self.it.rows("update logmill.access_scope set services = array['catalog-service'] where services = "
                     "array['catalog-service', 'order-service']")
        self.wait_until(lambda: self.number(question, key) < before, 12, "the smaller scope")

    def test_postgresql_holds_the_scope_by_itself(self):
        """As the scope's role, with the agent out of the way: what the views show is what the scope may see, and no more."""
        role = self.it.value("select s.role from logmill.access_scope s where services = array['payment-service']")

        def see(sql, role=role):
            return harness.psql(self.it.url("logmill_reader"), "begin read only; set local role %s; set local search_path = logmill_read; "
                                "%s; rollback" % (role, sql))
        views = [r[0] for r in self.it.rows("select viewname from pg_views where schemaname = 'logmill_read'")]
        self.assertGreater(len(views), 10)
        for view in views:
            with self.subTest(view=view):
                rows = json.dumps(see("select * from %s" % view))
                for other in SERVICES[1:] + ("of order", "staging"):
                    self.assertNotIn(other, rows)
        for view in ("logs", "log_rollup_minute", "log_duration_minute", "error_pattern_hour", "error_patterns", "log_name", "log_rollup_hour",
                     "log_rollup_day", "daily_log_summary", "performance_metrics"):
            with self.subTest(view=view):
                total = self.it.value("set role logmill_reader; select count(*) from logmill_read.%s" % view)
                own = self.it.value("set role logmill_reader; select count(*) from logmill_read.%s where service = 'payment-service'" % view)
                self.assertEqual([[own]], see("select count(*) from %s" % view))
                self.assertGreater(int(own), 0)
                self.assertGreater(int(total), int(own))
        self.assertEqual([["101", "template of payment"]], see("select pattern, template from log_pattern where pattern > 100"))
        window = "select distinct service from rollup_window('raw', date_trunc('day', now()) - interval '2 days', date_trunc('minute', now()), 'UTC')"
        self.assertEqual([["payment-service"]], see(window))
        self.assertEqual([["payment-service"]], see("select distinct s.service from generate_series(date_trunc('hour', now()) - interval '30 hours', "
                                                    "now(), '1 minute') m, lateral log_rollup_second(m, m + interval '1 minute') s"))
        for called, more in (("log_rollup", "'day', null"), ("log_rollup", "'minute', null"), ("log_count", "'minute', null, 'service', null, null"),
                             ("log_count", "'day', null, 'service', array['raw', 'training'], null"),
                             ("log_count", "'day', null, 'service', null, array['payment-service', '%s']" % SERVICES[1]),
                             ("log_duration", "'minute', null, 'service'"),
                             ("log_duration_any", "'day', null, 'service'"), ("log_histogram", "'minute', null, 'service', null, null"),
                             ("log_histogram", "'minute', null, 'service,level', null, null"), ("log_histogram", "'slot', null, 'service', null, null"),
                             ("log_histogram", "'day', null, 'service', null, array['payment-service', '%s']" % SERVICES[1]),
                             ("log_histogram", "'day', null, 'service', array['raw', 'training'], null")):
            window = "select distinct service from %s(date_trunc('hour', now()) - interval '30 hours', now(), %s)"
            self.assertEqual([["payment-service"]], see(window % (called, more)))
        # Folds of a service's histograms do not tell environments apart: whose scope names some is told from the others.
        of_environment = self.it.value("select role from logmill.access_scope where environments is not null")
        held = "select sum(histogram_count(histogram)) from log_histogram(date_trunc('hour', now()) - interval '30 hours', now(), 'day', null, '%s', null, null)"
        by_service = see(held % "service", role=of_environment)
        self.assertEqual(see(held % "service,environment", role=of_environment), by_service)
        self.assertLess(int(by_service[0][0]), int(harness.psql(self.it.url("logmill_reader"), "set search_path = logmill_read; " + held % "service")[0][0]))
        with self.assertRaisesRegex(RuntimeError, "permission denied for function log_total"):
            see("select * from log_total(date_trunc('hour', now()) - interval '30 hours', now(), 'day', null)")
        self.assertEqual([["0"]], see("select count(*) from logs", role=self.it.value(
            "select role from logmill.access_scope where services = array['no-such-service']")))
        self.assertEqual([["0"]], see("select count(*) from logs", role="logmill_scoped"))  # no scope at all

    def test_a_scope_is_not_left(self):
        role = self.it.value("select role from logmill.access_scope where services = array['payment-service']")
        other = self.it.value("select role from logmill.access_scope where environments is not null")
        for sql in ("select * from logmill.logs", "select * from logmill.access_scope", "select * from logmill.access_key",
                    "select * from logmill.auth_key('x')", "select * from logmill.history(null, null, 10)",
                    "select logmill.make_key('12345678', '\\x00', '', 'admin', null, null, null)", "select logmill.key_used('12345678')",
                    "set row_security = off; select count(*) from logmill_read.logs", "insert into logmill_read.logs (message) values ('x')",
                    "update logmill.access_scope set services = null"):
            with self.subTest(sql=sql), self.assertRaisesRegex(RuntimeError, "permission denied|read-only|row-level security"):
                harness.psql(self.it.url("logmill_reader"), "begin read only; set local role %s; %s; rollback" % (role, sql))
        member = self.it.rows("select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.roleid join pg_roles u on u.oid = m.member "
                              "where u.rolname = '%s'" % role)
        self.assertEqual([["logmill_scoped"]], member)
        self.assertEqual("f", self.it.value("select rolcanlogin or rolsuper or rolbypassrls from pg_roles where rolname = '%s'" % other))

    def test_the_agents_role_reads_keys_one_by_one_and_no_more(self):
        for sql in ("select * from logmill.access_key", "select * from logmill.access_scope", "update logmill.access_key set role = 'admin'",
                    "select logmill.make_key('12345678', '\\x00', '', 'admin', null, null, null)"):
            with self.subTest(sql=sql), self.assertRaisesRegex(RuntimeError, "permission denied"):
                harness.psql(self.it.url("logmill_agent"), sql)
        for user in ("logmill_reader", "logmill_writer"):
            with self.assertRaisesRegex(RuntimeError, "permission denied"):
                harness.psql(self.it.url(user), "select * from logmill.auth_key('x')")


class Masked(Access):
    def test_what_is_masked_is_nowhere_for_viewers(self):
        row = self.ask("show errors of the last 24 hours", self.keys["viewer"])["results"][0]
        for column in ("user_id", "client_ip", "host", "message"):
            self.assertNotIn(column, row)
        self.assertNotIn("retry", json.dumps(row.get("metadata")))
        self.assertIn("service", row)
        for question in ("errors of user u13 in the last 24 hours", "errors by host in the last 24 hours",
                         "how many distinct users in the last 24 hours?", "메시지에 timeout 들어간 로그 최근 1시간",
                         "top 3 error patterns in the last 24 hours", "errors by user in the last 24 hours",
                         "errors from 10.0.0.1 in the last 24 hours"):
            with self.subTest(question=question):
                self.refused(403, "forbidden", question, self.keys["viewer"])
                self.refused(403, "forbidden", question, self.keys["viewer"], path="/explain")
                self.assertIn(self.agent.post("/query", {"question": question}, {"X-API-Key": self.keys["operator"]})[0], (200,))
        page = self.get("/schema", self.keys["viewer"])[1]
        self.assertFalse(set(page["fields"]) & {"user_id", "client_ip", "host", "message", "pattern"})
        self.assertEqual([], page["names"]["host"])
        self.assertEqual([], page["names"]["metadata_key"])
        evidence = self.ask("why did errors rise in the last 6 hours?", self.keys["viewer"])
        self.assertNotIn("host-", json.dumps(evidence["results"]))
        self.assertNotIn("host", evidence["sql"])
        self.assertNotIn("host-", json.dumps(self.get("/suggest?q=host", self.keys["viewer"])[1]))

    def test_a_previous_intent_does_not_lift_the_mask(self):
        intent = self.ask("errors of user u13 in the last 24 hours", self.keys["operator"])["intent"]
        self.refused(403, "forbidden", "yesterday?", self.keys["viewer"], previous=intent)

    def test_others_see_all_of_it(self):
        for key in ("operator", "admin"):
            row = self.ask("show errors of the last 24 hours", self.keys[key])["results"][0]
            self.assertLessEqual({"user_id", "client_ip", "host", "message"}, set(row))
            self.assertIn("retry", json.dumps(row["metadata"]))

    def test_a_mask_that_names_no_column_is_a_mistake(self):
        for name in ("nonsense", "created_at", "service", "metadata."):
            p = subprocess.run([str(harness.BIN / "logmill-agent"), "--postgres-url", self.it.url("logmill_reader"), "--listen", "127.0.0.1:0",
                                "--mask", name], capture_output=True, text=True, timeout=20)
            self.assertEqual(1, p.returncode, p.stderr)
            self.assertIn("mask", p.stderr)


if __name__ == "__main__":
    unittest.main()
