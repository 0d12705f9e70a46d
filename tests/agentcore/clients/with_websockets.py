"""The `websockets` package, which AgentCore's Python SDK uses for `/ws`."""

import json

from websockets.sync.client import connect

TEXT = "Please refund order A-9133, it arrived broken. I paid $149."


def check(port):
    with connect(f"ws://127.0.0.1:{port}/ws") as socket:

        def ask(payload):
            """Sends a request. Returns the messages up to the end of the response."""
            socket.send(json.dumps(payload))
            told = [json.loads(socket.recv(timeout=30))]
            while not {"thread", "error"} & told[-1].keys():
                told.append(json.loads(socket.recv(timeout=30)))
            return told

        told = ask({"thread_id": "by-socket", "message": TEXT})
        thread = told[-1]["thread"]
        yield "websockets: a start", (len(told) > 1, thread["standing"]), (True, "waiting")
        yield "websockets: an unknown action", ask({"action": "aprove", "thread_id": "by-socket"})[0]["code"], "unknown_action"
        approve = {"action": "approve", "thread_id": "by-socket", "digest": thread["reviews"][0]["digest"]}
        approve |= {"operator": "mara", "roles": ["refund-approver"]}
        yield "websockets: an approval", ask(approve)[-1]["thread"]["standing"], "ended"
        yield "websockets: a second click", ask(approve)[0]["code"], "already_decided"
