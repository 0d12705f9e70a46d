"""boto3's client for the service, with our program as its endpoint.

On AgentCore, the service is between the two. Its own responses for a container that fails (424) are not tested.
"""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

ARN = "arn:aws:bedrock-agentcore:eu-central-1:111122223333:runtime/refund-a1b2c3d4e5"
TEXT = "Please refund order A-9133, it arrived broken. I paid $149."


def client(port):
    # The client signs its requests with these keys, as it does for the service.
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "eu-central-1"}
    once = Config(retries={"total_max_attempts": 1})
    return boto3.client("bedrock-agentcore", endpoint_url=f"http://127.0.0.1:{port}", config=once, **keys)


def check(port):
    service = client(port)

    def ask(payload, **how):
        payload = json.dumps(payload)
        return service.invoke_agent_runtime(
            agentRuntimeArn=ARN, contentType="application/json", payload=payload, **how
        )

    def refused(payload, **how):
        try:
            return ask(payload, **how)["statusCode"]
        except ClientError as error:
            said = error.response["Error"]
            assert said["Message"], "it says what to do"
            return error.response["ResponseMetadata"]["HTTPStatusCode"], said["Code"]
        except ParamValidationError:
            return "not sent"

    # boto3 generates the session id.
    answer = ask({"prompt": TEXT}, qualifier="DEFAULT")
    thread = json.loads(answer["response"].read())
    yield "boto3: a prompt", (answer["statusCode"], answer["contentType"]), (200, "application/json")
    yield "boto3: its thread waits", thread["standing"], "waiting"
    yield "boto3: its session is its thread", answer["runtimeSessionId"], thread["thread"]

    approve = {"action": "approve", "digest": thread["reviews"][0]["digest"]}
    mara = {"operator": "mara", "roles": ["refund-approver"]}
    own = {"runtimeSessionId": answer["runtimeSessionId"]}
    yield "boto3: nobody approves", refused(approve, **own), (401, "operator_missing")
    yield "boto3: an unknown action", refused({"action": "aprove"}, **own), (400, "unknown_action")
    yield "boto3: no such thread", refused({"action": "get"}), (404, "unknown_thread")
    yield "boto3: too short a session", refused({"action": "get"}, runtimeSessionId="short"), "not sent"

    answer = ask(approve | mara, accept="text/event-stream", **own)
    lines = [line for line in answer["response"].iter_lines() if line]
    yield "boto3: events", (answer["contentType"], answer["runtimeSessionId"]), ("text/event-stream", thread["thread"])
    last = json.loads(lines[-1].removeprefix(b"data: "))
    yield "boto3: the last of them is the thread", last["thread"]["standing"], "ended"
    yield "boto3: a second click", refused(approve | mara, **own), (409, "already_decided")
