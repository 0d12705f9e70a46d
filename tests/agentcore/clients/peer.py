"""An agent of the Python SDK, to stand beside ours: it takes the same start, and says what it was told."""

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
    # The socket is whoever's who started this: it listens before we do, so nobody has to try until we answer.
    app.run(fd=int(sys.argv[1]), log_level="critical")
