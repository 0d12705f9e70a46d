"""About fifty valid and invalid requests to our program and to an agent of the Python SDK (`peer.py`). Each difference is explained."""

import gzip
import itertools
import json
import uuid

from wire import SESSION, answered, request

# The expected differences, as fact: (ours, theirs). The documentation of `hitl::agentcore` gives the reasons.
NAMED = {"session": (True, False)}
UTF8 = {"type": ("text/event-stream", "text/event-stream; charset=utf-8")}
FAILED = {"status": (200, 500), "body": ("object", "error")}
FAILED_IN_EVENTS = {"body": ("events, at last object", "events, at last error")}
CALLER = {"status": (400, 500)}
STRICT = {"status": (400, 200), "body": ("error", "object")}
TYPED = {"type": ("application/json", "text/plain; charset=utf-8"), "body": ("error", "text")}
LARGE = {"status": (413, 200), "body": ("error", "object")}
NO_TYPE = {"status": (415, 200), "body": ("error", "object")}
FOREIGN = {"status": (403, 200), "body": ("error", "object")}
ONE_PATH = {"status": (404, 307), "type": ("application/json", None), "body": ("error", "nothing")}
SOCKET = {"status": (400, 404)}
NO_HTTP = {"type": (None, "text/plain; charset=utf-8"), "body": ("nothing", "text")}
HEADERS = {"status": (431, 200), "type": (None, "application/json"), "body": ("nothing", "ping")}

TEXT = "Please refund order A-9133, it arrived broken. I paid $149."
HERE = "/invocations"
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
EVENTS = ("Accept", "text/event-stream, application/json")
SIGNED = ("Authorization", "AWS4-HMAC-SHA256 Credential=a/20261122/eu-central-1/b/aws4_request, Signature=0")
OF_THE_SERVICE = [
    ("WorkloadAccessToken", "secret"),
    ("OAuth2CallbackUrl", "https://desk.example"),
    ("baggage", "key=value"),
    ("X-Amzn-Bedrock-AgentCore-Runtime-Custom-Desk", "2"),
    ("X-Amzn-Bedrock-AgentCore-Runtime-Request-Id", str(uuid.uuid4())),
]

threads = (f"thread-{number}" for number in itertools.count())


def start(message=TEXT, **rest):
    return json.dumps({"thread_id": next(threads), "message": message, **rest}, ensure_ascii=False).encode()


def post(body, *headers, path=HERE, **how):
    return request("POST", path, body, JSON, *headers, **how)


def session():
    return (SESSION, str(uuid.uuid4()))


def chunked(body):
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def requests():
    """Returns the name and the bytes of each request, our status, and the expected differences."""
    return [
        ("a start", post(start()), 200, NAMED),
        ("its inputs in `input`", post(json.dumps({"thread_id": "in", "input": {"message": TEXT}}).encode()), 200, NAMED),
        ("a prompt, by its session", post(json.dumps({"prompt": TEXT}).encode(), session()), 200, NAMED),
        ("a thread in another session", post(start(), session()), 200, NAMED),
        ("no content type", request("POST", HERE, start()), 415, NO_TYPE),
        ("no content type, and a signature of AWS", request("POST", HERE, start(), SIGNED), 200, NAMED),
        ("a form's content type", request("POST", HERE, start(), FORM), 415, NO_TYPE),
        ("a page of another origin", post(start(), ("Origin", "https://desk.example")), 403, FOREIGN),
        ("a page of another site", post(start(), ("Sec-Fetch-Site", "cross-site")), 403, FOREIGN),
        ("in chunks", post(chunked(start()), ("Transfer-Encoding", "chunked")), 200, NAMED),
        ("after 100 Continue", post(start(), ("Expect", "100-continue")), 200, NAMED),
        ("by HTTP/1.0", post(start(), version="HTTP/1.0"), 200, NAMED),
        ("with a query", post(start(), path=f"{HERE}?qualifier=DEFAULT"), 200, NAMED),
        ("letters of all kinds", post(start(f"Überweisung 😀: {TEXT}")), 200, NAMED),
        ("an escaped NUL", post(start(f"\0 {TEXT}")), 200, NAMED),
        ("most of a megabyte", post(start(TEXT + "x" * 1_000_000)), 200, NAMED),
        ("the service's headers", post(start(), *OF_THE_SERVICE), 200, NAMED),
        ("a signature of AWS", post(start(), SIGNED), 200, NAMED),
        ("events", post(start(), EVENTS), 200, NAMED | UTF8),
        ("a ping", request("GET", "/ping"), 200, {}),
        ("a ping's head", request("HEAD", "/ping"), 200, {}),
        ("a node that fails", post(start("hello")), 200, NAMED | FAILED),
        ("one that fails in events", post(start("hello"), EVENTS), 200, NAMED | UTF8 | FAILED_IN_EVENTS),
        ("nothing", post(b""), 400, {}),
        ("half of it", post(b"{"), 400, {}),
        ("half of it, for events", post(b"{", EVENTS), 400, {}),
        ("no UTF-8", post(b'{"thread_id": "no", "message": "order \xff"}'), 400, {}),
        ("compressed", post(gzip.compress(start()), ("Content-Encoding", "gzip")), 400, {}),
        ("NaN", post(start(amount=float("nan"))), 400, STRICT),
        ("too large a number", post(b'{"thread_id": "no", "message": "order", "amount": 1e999}'), 400, STRICT),
        ("UTF-16", post(start().decode().encode("utf-16")), 400, STRICT),
        ("a byte order mark", post(b"\xef\xbb\xbf" + start()), 400, STRICT),
        ("half a surrogate pair", post(b'{"thread_id": "no", "message": "order \\ud800"}'), 400, CALLER),
        ("10,000 nested arrays", post(b'{"message": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"), 400, CALLER | TYPED),
        ("a list", post(b"[1]"), 400, CALLER),
        ("an unknown action", post(b'{"action": "aprove", "thread_id": "no"}'), 400, CALLER),
        ("no input", post(b'{"thread_id": "no"}'), 400, CALLER),
        ("17 megabytes", post(start("order" + "x" * 17_000_000)), 413, LARGE),
        ("a name twice", post(b'{"thread_id": "no", "message": "other", "message": "order"}'), 400, STRICT),
        ("100,000 values", post(b'{"message": "order", "x": [' + b"0," * 100_000 + b"0]}"), 400, STRICT),
        ("another method", request("GET", HERE), 405, TYPED),
        ("a slash too many", post(start(), path=f"{HERE}/"), 404, ONE_PATH),
        ("another path", request("GET", "/admin"), 404, TYPED),
        ("a socket's path, and no socket", request("GET", "/ws"), 400, SOCKET | TYPED),
        ("a length below nothing", post(b"{}", length=-1), 400, NO_HTTP),
        ("150 headers", request("GET", "/ping", b"", *((f"X-{n}", "x") for n in range(150))), 431, HEADERS),
    ]


def check(ours, theirs):
    """Yields one check for each request."""
    for name, raw, status, explained in requests():
        here, there = answered(ours, raw), answered(theirs, raw)
        found = {fact: (here[fact], there[fact]) for fact in here if here[fact] != there[fact]}
        yield f"beside the SDK: {name}", (here["status"], found), (status, explained)
