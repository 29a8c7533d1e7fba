"""The agent keeps what openapi.json says: requests made from its schemas, good and spoilt, are answered with a status, a type and a
body that it lists. The page is read here as a machine would read it; nothing else of the agent is known."""
import json
import random
import re
import unittest
import urllib.error
import urllib.parse
import urllib.request

import harness
import stored

PAGE = json.loads((harness.ROOT / "agent" / "openapi.json").read_text(encoding="utf-8"))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
QUESTIONS = ("how many errors in the last 24 hours?", "최근 24시간 서비스별 에러", "show errors of the last 3 hours", "p95 of payment-service today",
             "why did errors spike today?", "delete all logs", "what is the weather", "errors of no-such-service", "logs of user u1 last month",
             "compare errors today vs yesterday", "top 3 error patterns in the last 24 hours", "", "그 중 결제만", "\u0007\u202e", "?" * 300)


def resolve(schema):
    while "$ref" in schema:
        at = PAGE
        for part in schema["$ref"].split("/")[1:]:
            at = at[part]
        schema = at
    return schema


def problems(schema, value, where="body"):
    """What of a value is not as its schema has it; a member that the schema does not name is one, too."""
    schema = resolve(schema)
    if value is None and schema.get("nullable"):
        return []
    found = []
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or isinstance(value, bool) != (kind == "boolean")):
        return ["%s: %r is no %s" % (where, value, kind)]
    if "enum" in schema and value not in schema["enum"]:
        found.append("%s: %r is not listed" % (where, value))
    if "oneOf" in schema and sum(not problems(s, value) for s in schema["oneOf"]) != 1:
        found.append("%s: %r is not one of the forms" % (where, value))
    for part in schema.get("allOf", ()):
        found += problems(part, value, where)
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append("%s: %r" % (where, value))
    if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append("%s: %r is out of bounds" % (where, value))
    if schema.get("format") == "date-time" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value):
        found.append("%s: %r is no date-time" % (where, value))
    if isinstance(value, dict) and "properties" in schema:
        found += ["%s: %s is missing" % (where, name) for name in schema.get("required", ()) if name not in value]
        for name, member in value.items():
            if name in schema["properties"]:
                found += problems(schema["properties"][name], member, where + "." + name)
            elif not schema.get("additionalProperties"):
                found.append("%s.%s is not in the page" % (where, name))
    if isinstance(value, list) and "items" in schema:
        for member in value:
            found += problems(schema["items"], member, where + "[]")
    return found


class OpenApi(stored.Agents):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.agent = cls.shared.start("logmill-agent", "--allow-now")
        cls.random = random.Random(20260318)
        cls.intent = cls.agent.post("/query", {"question": QUESTIONS[0]})[1]["intent"]

    def value(self, schema, name):
        """A value of a schema, or, once in a while, one that is none."""
        schema, r = resolve(schema), self.random
        if r.random() < 0.12:
            return r.choice([None, True, -1, 0, 1 << 70, 1.5, "", "x" * 2500, [], {}, {"v": 1}, "\u0000", "2026-13-01T00:00:00Z", "Mars/Olympus"])
        if name == "question":
            return r.choice(QUESTIONS)
        if name == "timezone":
            return r.choice(["Asia/Seoul", "UTC", "America/New_York"])
        if name in ("previous", "intent"):
            return r.choice([None, self.intent, dict(self.intent, limit=3), dict(self.intent, filters=[{"field": "x"}])])
        if "enum" in schema:
            return r.choice(schema["enum"])
        if schema.get("format") == "date-time":
            return r.choice(["2026-03-18T14:35:20+09:00", "2026-03-18T05:35:20.5Z"])
        if schema.get("type") == "boolean":
            return r.random() < 0.5
        if schema.get("type") == "integer":
            return r.randint(schema.get("minimum", 0), min(schema.get("maximum", 1000), 1000))
        return r.choice(["err", "결제", "payment-service errors today"])

    def request(self, path, method, operation):
        """(url, body, headers), made from the page."""
        query, headers, body = {}, {}, None
        for parameter in map(resolve, operation.get("parameters", ())):
            if self.random.random() < 0.6:
                value = self.value(parameter["schema"], parameter["name"])
                if parameter["in"] == "query":
                    query[parameter["name"]] = value if isinstance(value, str) else json.dumps(value)
                elif isinstance(value, str) and value.isascii() and value.isprintable():
                    headers[parameter["name"]] = value
        if "requestBody" in operation:
            schema = resolve(resolve(operation["requestBody"])["content"]["application/json"]["schema"])
            members = {name: self.value(member, name) for name, member in schema["properties"].items()
                       if name in schema["required"] or self.random.random() < 0.25}
            if self.random.random() < 0.1:
                members[self.random.choice(["sql", "limit", "Question", ""])] = 1
            body = json.dumps(members).encode()
            if self.random.random() < 0.08:
                body = self.random.choice([b"", b"[]", b"{", b"null", b"\xff\xfe", body[:-1], body + b"x", b"{\"question\":\"" + b"q" * 70000 + b"\"}"])
            headers["Content-Type"] = self.random.choice(["application/json"] * 9 + ["text/plain"])
        if self.random.random() < 0.1:
            headers["Accept"] = self.random.choice(["text/html", "text/event-stream", "application/x-ndjson", "*/*"])
        return path + ("?" + urllib.parse.urlencode(query) if query else ""), body, headers

    def send(self, url, method, body, headers):
        request = urllib.request.Request(self.agent.url + url, data=body, headers=headers, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as e:
            answer = e
        with answer:
            return answer.status, answer.headers, answer.read()

    def check(self, operation, status, headers, body):
        self.assertIn(str(status), operation["responses"])
        content = resolve(operation["responses"][str(status)]).get("content", {})
        kind = headers.get_content_type()
        self.assertIn(kind, content)
        if kind == "application/json":
            self.assertEqual([], problems(content[kind].get("schema", {}), json.loads(body)))
        if "Failure" in str(operation["responses"][str(status)]) and status in (429, 503):
            self.assertGreater(int(headers["Retry-After"]), 0)

    def test_whatever_is_sent_is_answered_as_the_page_says(self):
        for path, methods in PAGE["paths"].items():
            if path == "/ws/query":
                continue
            for method, operation in methods.items():
                for number in range(60 if "requestBody" in operation else 12 if "parameters" in operation else 2):
                    url, body, headers = self.request(path, method, operation)
                    if body is None and method == "post":
                        body = b""
                    with self.subTest(url=url, number=number, body=str(body)[:300], headers=headers):
                        self.check(operation, *self.send(url, method.upper(), body, headers))

    def test_the_page_has_the_paths_that_there_are(self):
        routes = set()
        for name in [p for d in ("agent", "common") for p in (harness.ROOT / d).rglob("*.c")]:
            text = name.read_text(encoding="utf-8")
            routes |= {(m.lower(), p) for m, p in re.findall(r'"(GET|POST)",\s*"(/[a-z./]+)"', text)}
            routes |= {(m.lower(), p) for m, p in re.findall(r'\.method = "(GET|POST)",\s*\.path = "(/[a-z./]+)"', text)}
        self.assertEqual(routes, {(m, p) for p, methods in PAGE["paths"].items() for m in methods})


if __name__ == "__main__":
    unittest.main()
