"""HTTP requests as bytes, and the facts about a response that a client can observe."""

import http.client
import json
import socket

SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"


def request(method, path, body=b"", *headers, version="HTTP/1.1", length=None):
    lines = [f"{method} {path} {version}", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name == "Transfer-Encoding" for name, _ in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answered(port, raw):
    """Sends a request. Returns the facts about the response, without the content that depends on the agent."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(raw)
        answer = http.client.HTTPResponse(connection, method=raw.split(b" ", 1)[0].decode())
        answer.begin()
        body, kind = answer.read(), answer.getheader("content-type")
    return {
        "status": answer.status,
        "type": kind,
        "body": events(body) if (kind or "").startswith("text/event-stream") else shape(body),
        "session": answer.getheader(SESSION) is not None,
    }


def events(body):
    data = [line.removeprefix(b"data: ") for line in body.split(b"\n\n") if line.startswith(b"data: ")]
    return f"events, at last {shape(data[-1])}"


def shape(body):
    """Returns the kind of a body. Objects other than errors and pings depend on the agent, and are not distinguished."""
    if not body:
        return "nothing"
    try:
        parsed = json.loads(body)
    except ValueError:
        return "text"
    if not isinstance(parsed, dict):
        return type(parsed).__name__
    if "error" in parsed:
        return "error"
    return "ping" if set(parsed) == {"status", "time_of_last_update"} else "object"
