"""An agent of the Python SDK, for comparison with ours: it takes the same start, and returns the message."""

import sys

from bedrock_agentcore.runtime import BedrockAgentCoreApp

app = BedrockAgentCoreApp()


def told(start):
    if "order" not in start["message"]:
        raise ValueError("there is no order in it")
    yield {"message": start["message"]}


@app.entrypoint
def start(payload, context):
    if payload.get("action", "start") != "start":
        raise ValueError("no such action")
    start = payload.get("input", payload)
    if "prompt" in start:
        start = {"message": start["prompt"]}
    if "text/event-stream" in context.request.headers.get("accept", ""):
        return told(start)
    return next(told(start))


if __name__ == "__main__":
    # The parent process passes a socket that already listens, so clients need not retry until this process answers.
    app.run(fd=int(sys.argv[1]), log_level="critical")
