"""A model's server that says what a test tells it to, over both protocols: the Messages API and chat completions.

A script is a list of replies, one for each request, the last one for all that follow; a reply is a function of the handler, made by one of
those below. Every request is kept with its headers and parsed body.
"""
import http.server
import json
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server.model
        with server.lock:
            server.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
            reply = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        self.anthropic = self.path.endswith("/v1/messages")
        try:
            reply(self)
        except (BrokenPipeError, ConnectionResetError):
            server.gone.set()

    def begin(self, status=200, kind="text/event-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def chunk(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end(self):
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def cut(self):
        """The connection goes without the end of the body."""
        self.close_connection = True

    def event(self, value, name=None):
        self.chunk(("event: %s\n" % name if name else "") + "data: %s\n\n" % json.dumps(value, ensure_ascii=False))


class Http(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that goes away is what many tests are about."""


class Server:
    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.gone = threading.Event()   # a client left before its reply was whole
        self.script = []
        self.http = Http(("127.0.0.1", 0), Handler)
        self.http.model = self
        self.url = "http://127.0.0.1:%d" % self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def says(self, *script):
        with self.lock:
            self.requests.clear()
            self.gone.clear()
            self.script = list(script)

    def prompts(self):
        """The user messages so far, parsed."""
        with self.lock:
            return [json.loads(r["body"]["messages"][-1]["content"]) for r in self.requests]

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


# ---- replies ----

def pieces(text, count=5):
    size = max(1, len(text) // count)
    return [text[i:i + size] for i in range(0, len(text), size)]


def stream(h, text, stop=None, usage=True, end=True, ping=True, pause=0.0):
    """The events of a whole reply; for the Messages API as the input of the one tool that was offered, if one was."""
    if h.anthropic:
        tool = "tools" in h.server.model.requests[-1]["body"]
        h.event({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "stop_reason": None,
                 **({"usage": {"input_tokens": 900, "cache_read_input_tokens": 100, "output_tokens": 1}} if usage else {})}}, "message_start")
        h.event({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}, "content_block_start")
        h.event({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "{\"kind\":"}}, "content_block_delta")
        block = {"type": "tool_use", "id": "toolu_1", "name": "answer", "input": {}} if tool else {"type": "text", "text": ""}
        h.event({"type": "content_block_start", "index": 1, "content_block": block}, "content_block_start")
        for p in pieces(text):
            if ping:
                h.event({"type": "ping"}, "ping")
                h.event({"type": "something_of_tomorrow", "delta": {"type": "text_delta", "text": "x"}}, "something_of_tomorrow")
            time.sleep(pause)
            h.event({"type": "content_block_delta", "index": 1, "delta":
                     {"type": "input_json_delta", "partial_json": p} if tool else {"type": "text_delta", "text": p}}, "content_block_delta")
        h.event({"type": "content_block_stop", "index": 1}, "content_block_stop")
        h.event({"type": "message_delta", "delta": {"stop_reason": stop or ("tool_use" if tool else "end_turn")},
                 **({"usage": {"output_tokens": 50}} if usage else {})}, "message_delta")
        if end:
            h.event({"type": "message_stop"}, "message_stop")
    else:
        base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        h.event(dict(base, choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]))
        for p in pieces(text):
            if ping:
                h.chunk(": ping\n\n")
            time.sleep(pause)
            h.event(dict(base, choices=[{"index": 0, "delta": {"content": p}, "finish_reason": None}]))
        h.event(dict(base, choices=[{"index": 0, "delta": {}, "finish_reason": stop or "stop"}]))
        if usage:
            h.event(dict(base, choices=None, usage={"prompt_tokens": 1000, "completion_tokens": 50}))
        if end:
            h.chunk("data: [DONE]\n\n")


def reply(value, **how):
    """A whole reply, streamed: JSON of a dict, or text as it is."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def run(h):
        h.begin()
        stream(h, text, **how)
        h.end()
    return run


def whole(value):
    """A server that does not stream."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def run(h):
        h.begin(kind="application/json")
        if h.anthropic:
            h.chunk(json.dumps({"type": "message", "role": "assistant", "stop_reason": "tool_use", "usage": {"input_tokens": 10, "output_tokens": 5},
                                "content": [{"type": "tool_use", "id": "t", "name": "answer", "input": json.loads(text)}]}))
        else:
            h.chunk(json.dumps({"object": "chat.completion", "usage": {"prompt_tokens": 10, "completion_tokens": 5},
                                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}]}))
        h.end()
    return run


def status(code, body=None, **headers):
    def run(h):
        h.begin(code, "application/json", **headers)
        h.chunk(json.dumps(body if body is not None else {"type": "error", "error": {"type": "an_error_of_%d" % code, "message": "no"}}))
        h.end()
    return run


def cut(value):
    def run(h):
        h.begin()
        half(h, json.dumps(value))
        h.cut()
    return run


def half(h, text):
    """The beginning of a stream."""
    if h.anthropic:
        h.event({"type": "message_start", "message": {"usage": {"input_tokens": 900, "output_tokens": 1}}}, "message_start")
        h.event({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "answer", "input": {}}})
        h.event({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text[:len(text) // 2]}})
    else:
        h.event({"choices": [{"index": 0, "delta": {"content": text[:len(text) // 2]}, "finish_reason": None}]})


def error_in_stream(value):
    def run(h):
        h.begin()
        half(h, json.dumps(value))
        h.event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")
        h.end()
    return run


def raw(*chunks, pause=0.0, forever=False):
    """Bytes as they are."""
    def run(h):
        h.begin()
        for c in chunks:
            h.chunk(c)
            time.sleep(pause)
        while forever:
            h.chunk(chunks[-1])
            time.sleep(pause)
        h.end()
    return run
