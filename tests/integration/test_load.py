"""Many questions at once: they wait their turn, each asker in a line of its own, are refused with 429 beyond a bound, and memory stays
bounded."""
import asyncio
import collections
import json
import re
import resource
import unittest

import harness
import stored

COUNT = "how many errors in the last 24 hours?"
ROWS = "how many logs with status 500 in the last 6 hours?"      # not from the rollups
MANY = ("how many errors in the last %d minutes by service?", "show errors of the last %d minutes", "최근 %d분 레벨별 로그 수",
        "top 5 services by errors in the last %d minutes")


def memory(agent, field):
    with open("/proc/%d/status" % agent.process.pid) as f:
        return int(re.search(field + r":\s+(\d+) kB", f.read()).group(1)) / 1024


class Asker:
    """Asks on a connection of its own each, all at once, from an address of its own."""

    def __init__(self, agent, address="127.0.0.1"):
        self.host, port = agent.url[7:].split(":")
        self.port, self.address, self.tasks = int(port), address, []

    async def one(self, question):
        body = json.dumps({"question": question, "refresh": True}).encode()
        reader, writer = await asyncio.open_connection(self.host, self.port, local_addr=(self.address, 0))
        try:
            writer.write(b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            text = await reader.read()
            retry = re.search(r"Retry-After: (\d+)", head)
            return int(head.split()[1]), int(retry.group(1)) if retry else None, json.loads(text)
        finally:
            writer.close()

    def ask(self, *questions):
        tasks = [asyncio.ensure_future(self.one(q)) for q in questions]
        self.tasks += tasks
        return tasks

    async def answers(self):
        got = await asyncio.gather(*self.tasks)
        for status, retry, body in got:
            if status == 429:
                assert retry >= 1 and body["error"]["code"] == "too_many_requests", (retry, body)
        return collections.Counter(status for status, _, _ in got)


class Load(stored.Agents):
    async def until(self, condition, what):
        await asyncio.get_running_loop().run_in_executor(None, lambda: self.wait_until(condition, 60, what))

    def test_a_thousand_at_once_are_answered_in_bounded_memory(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))  # the usual one: the agent raises it for itself
        agent = self.start("--queue-wait", "5m")
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        much = 10 if "asan" in str(harness.BIN) else 1        # what a sanitizer adds is not meant
        self.assertLess(memory(agent, "VmRSS"), 32 * much)

        async def thousand():
            asker = Asker(agent)
            asker.ask(*(MANY[i % len(MANY)] % (60 + i) for i in range(1000)))
            return await asker.answers()
        self.assertEqual({200: 1000}, asyncio.run(thousand()))
        self.assertLess(memory(agent, "VmHWM"), 64 * much)
        self.wait_until(lambda: (0, 0) == (agent.metric("logmill_agent_in_flight"), agent.metric("logmill_agent_waiting")))
        self.assertTrue(agent.ready())

    def test_beyond_the_line_it_is_429_at_once_and_the_rest_is_answered(self):
        agent = self.start("--max-in-flight", "2", "--queue-size", "10", "--queue-wait", "5m")

        async def hundred():
            asker = Asker(agent)
            with self.locked():
                asker.ask(*[COUNT] * 100)
                await self.until(lambda: sum(t.done() for t in asker.tasks) == 88, "those beyond the line")
                self.assertEqual((2, 10), (agent.metric("logmill_agent_in_flight"), agent.metric("logmill_agent_waiting")))
            return await asker.answers()
        self.assertEqual({200: 12, 429: 88}, asyncio.run(hundred()))

    def test_one_that_asks_much_and_slowly_holds_nobody_up(self):
        agent = self.start("--max-in-flight", "8", "--pool-size", "4", "--queue-size", "10", "--queue-wait", "5m")
        self.wait_until(lambda: agent.metric("logmill_agent_connections") == 4, 20, "connections that are warm: the lock would stop that")

        async def both():
            many, one = Asker(agent), Asker(agent, "127.0.0.2")
            with self.locked():
                many.ask(*[COUNT] * 100)                      # six under way, ten wait
                await self.until(lambda: sum(t.done() for t in many.tasks) == 84, "those beyond the line")
                # Places and connections are left for another, and room in the line is made at the cost of who has the most of it.
                await asyncio.gather(*one.ask(ROWS))
                one.ask(*[COUNT] * 6)
                await self.until(lambda: sum(t.done() for t in many.tasks) > 84, "room made for the other")
            return await many.answers(), await one.answers()
        many, one = asyncio.run(both())
        self.assertEqual({200: 7}, one)
        self.assertEqual({200, 429}, set(many))
        self.assertEqual(100, sum(many.values()))

    def test_who_waits_too_long_is_told_so(self):
        agent = self.start("--max-in-flight", "1", "--queue-wait", "100ms")

        async def three():
            asker = Asker(agent)
            with self.locked():
                asker.ask(*[COUNT] * 3)
                await self.until(lambda: sum(t.done() for t in asker.tasks) == 2, "those who waited too long")
            return await asker.answers()
        self.assertEqual({200: 1, 429: 2}, asyncio.run(three()))

    def test_who_leaves_the_line_leaves_its_room(self):
        agent = self.start("--max-in-flight", "1", "--queue-size", "2", "--queue-wait", "5m")

        async def leave():
            asker = Asker(agent)
            with self.locked():
                tasks = asker.ask(*[COUNT] * 3)
                await self.until(lambda: agent.metric("logmill_agent_waiting") == 2, "two that wait")
                for task in tasks:
                    task.cancel()
                await self.until(lambda: agent.metric("logmill_agent_waiting") + agent.metric("logmill_agent_in_flight") == 0,
                                 "nobody left")
            return await asyncio.gather(*tasks, return_exceptions=True)
        asyncio.run(leave())
        self.assertEqual(200, agent.post("/query", {"question": COUNT})[0])


if __name__ == "__main__":
    unittest.main()
