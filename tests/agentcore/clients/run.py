"""Runs third-party clients against our program. `.ci/agentcore-clients` calls it with the path of the refund agent."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import beside_sdk
import with_boto3
import with_toolkit
import with_websockets


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def served(program, folder):
    """Runs our program, and yields its port, which is in the first line of its output."""
    settings = {"HITL_OPERATORS": "claimed", "REFUND_DB": f"{folder}/refund.db", "RUST_LOG": "hitl=info"}
    with ended(
        subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0"], env=os.environ | settings, stdout=subprocess.PIPE, text=True
        )
    ) as process:
        address = json.loads(process.stdout.readline())["address"]
        yield int(address.rsplit(":", 1)[1])


@contextlib.contextmanager
def peer():
    """Runs an agent of the Python SDK on a socket that already listens, and yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        at = listening.fileno()
        command = [sys.executable, pathlib.Path(__file__).with_name("peer.py"), str(at)]
        with ended(subprocess.Popen(command, pass_fds=[at], stderr=subprocess.DEVNULL)):
            yield listening.getsockname()[1]


def checks(program):
    with tempfile.TemporaryDirectory() as folder, served(program, folder) as ours, peer() as theirs:
        yield from with_boto3.check(ours)
        yield from with_toolkit.check(ours, folder)
        yield from with_websockets.check(ours)
        yield from beside_sdk.check(ours, theirs)


def main(program):
    passed = failed = 0
    for name, found, expected in checks(program):
        if found == expected:
            passed += 1
        else:
            failed += 1
            print(f"{name}:\n  found    {found}\n  expected {expected}", file=sys.stderr)
    print(f"clients: {passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
