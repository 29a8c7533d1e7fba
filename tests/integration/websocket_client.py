"""A client of GET /ws/query that can break every rule of the protocol: test_websocket.py."""
import collections
import itertools
import json
import socket
import struct

ENDS = ("result", "error", "cancelled")
HOUR = "how many errors in the last 24 hours?"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x12\x34\x56\x78", length=None):
    """One frame as a client sends it; `length` as bytes of the header instead of what fits."""
    n = len(payload)
    if length is None:
        length = bytes([n]) if n < 126 else b"\x7e" + struct.pack(">H", n) if n < 65536 else b"\x7f" + struct.pack(">Q", n)
    if mask:
        key = itertools.cycle(mask)
        payload = mask + bytes(b ^ k for b, k in zip(payload, key))
        length = bytes([length[0] | 0x80]) + length[1:]
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + payload


class Client:
    """A connection behind its handshake; answers no ping by itself."""

    def __init__(self, agent, headers=(), early=b"", small=False):
        self.s = socket.socket()
        if small:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.s.settimeout(60)
        self.s.connect(("127.0.0.1", int(agent.url.rsplit(":", 1)[1])))
        lines = dict({"Host": agent.url[7:], "Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Version": "13",
                      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}, **dict(headers))
        self.s.sendall(("GET /ws/query HTTP/1.1\r\n" + "".join("%s: %s\r\n" % h for h in lines.items() if h[1] is not None) + "\r\n").encode()
                       + early)
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        first, *rest = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}
        self.ended = collections.Counter()

    def more(self):
        piece = self.s.recv(1 << 20)
        if not piece:
            raise EOFError
        self.data += piece

    def take(self, n):
        while len(self.data) < n:
            self.more()
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def send(self, *arguments, **options):
        self.s.sendall(frame(*arguments, **options))

    def pour(self, data):
        """Bytes of which the server may not want the last."""
        try:
            self.s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass                                        # what it said before can still be read

    def say(self, message):
        self.send(TEXT, json.dumps(message).encode())

    def ask(self, name, question=HOUR, **keys):
        self.say(dict(keys, type="ask", id=name, question=question))

    def frame(self):
        """(opcode, payload): the server neither masks nor fragments."""
        first, second = self.take(2)
        if first & 0x70 or not first & 0x80 or second & 0x80:
            raise AssertionError("%02x %02x" % (first, second))
        n = second
        if n == 126:
            n, = struct.unpack(">H", self.take(2))
        elif n == 127:
            n, = struct.unpack(">Q", self.take(8))
        return first & 15, self.take(n)

    def event(self):
        for pings in itertools.count():
            opcode, payload = self.frame()
            if opcode == PING and pings < 4:            # nobody waits for ever for what does not come
                self.send(PONG, payload)
            elif opcode == TEXT:
                event = json.loads(payload)
                self.ended[event["id"]] += event["type"] in ENDS
                return event
            elif opcode != PONG:
                raise AssertionError((opcode, payload))

    def until(self, name, types=ENDS):
        """Events of all questions up to the end of this one."""
        events = [self.event()]
        while events[-1]["id"] != name or events[-1]["type"] not in types:
            events.append(self.event())
        return events

    def answer(self, name, question=HOUR, **keys):
        self.ask(name, question, **keys)
        return self.until(name)[-1]

    def closed(self):
        """The code the server closes with; None: it closes without a frame."""
        pings = 0
        try:
            while pings < 20:
                opcode, payload = self.frame()
                pings += opcode == PING
                if opcode == CLOSE:
                    break
            else:
                raise AssertionError("pinged on and on, and not closed")
        except (EOFError, ConnectionResetError):
            return None
        try:
            self.more()
        except (EOFError, ConnectionResetError):
            pass
        return struct.unpack(">H", payload[:2])[0] if payload else 1005

    def close(self):
        self.s.close()
