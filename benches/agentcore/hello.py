"""The Python SDK's hello; its argument is the port."""

import sys

from bedrock_agentcore.runtime import BedrockAgentCoreApp

app = BedrockAgentCoreApp()


@app.entrypoint
def hello(payload):
    return {"result": f"Hello, {payload['prompt']}!"}


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), host="127.0.0.1")
