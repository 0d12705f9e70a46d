"""`agentcore invoke --dev` of the starter toolkit.

It requests events, always sends a session id, prints the status of an error without its body, and exits with 0.
"""

import json
import os
import pathlib
import subprocess
import sys
import uuid

TEXT = "Please refund order A-9133, it arrived broken. I paid $149."
PROGRAM = pathlib.Path(sys.executable).with_name("agentcore")


def invoke(port, folder, session, payload):
    # The terminal is wide, because the toolkit wraps lines otherwise.
    quiet = {"HOME": folder, "COLUMNS": "100000", "AGENTCORE_SUPPRESS_RECOMMENDATION": "1"}
    command = [PROGRAM, "invoke", "--dev", "--port", str(port), "--session-id", session, payload]
    ran = subprocess.run(command, cwd=folder, env=os.environ | quiet, capture_output=True, text=True, check=True)
    return ran.stdout


def thread_in(told):
    """Returns the thread in the last event of the output."""
    events = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    return events[-1]["thread"] if events else told


def check(port, folder):
    session = str(uuid.uuid4())
    thread = thread_in(invoke(port, folder, session, TEXT))
    yield "agentcore invoke: a prompt", (thread["thread"], thread["standing"]), (session, "waiting")
    told = invoke(port, folder, session, '{"action": "aprove"}')
    yield "agentcore invoke: an unknown action", "400 Client Error" in told, True
    approve = {"action": "approve", "digest": thread["reviews"][0]["digest"]}
    approve |= {"operator": "mara", "roles": ["refund-approver"]}
    thread = thread_in(invoke(port, folder, session, json.dumps(approve)))
    yield "agentcore invoke: an approval", thread["standing"], "ended"
