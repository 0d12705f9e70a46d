"""The served refund agent beside the Python SDK's hello. Run by `benches/agentcore/run`."""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
STARTS = 15
TICK = os.sysconf("SC_CLK_TCK")
TEXT = "Please refund order A-9133, it arrived broken. I paid $149."


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body)
        answer = connection.getresponse()
        assert answer.status == 200, (answer.status, answer.read())
        return json.load(answer)


class Server:
    """A process that answers pings, and how long that took from its start."""

    def __init__(self, command, settings=None):
        self.port = free_port()
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [part.format(port=self.port) for part in command],
            env=os.environ | (settings or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                ask(self.port, "GET", "/ping")
                break
            except ConnectionError:
                time.sleep(0.0005)
        self.first_ping = time.perf_counter() - began

    def cpu(self):
        """Seconds that it has computed, for itself and in the kernel."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self):
        """Megabytes at the most."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def load(self, seconds, path, *body):
        before = self.cpu()
        command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", HERE / "load.lua", f"http://127.0.0.1:{self.port}{path}"]
        ran = subprocess.run([*command, "--", *body], capture_output=True, text=True, check=True)
        loaded = json.loads(ran.stdout.splitlines()[-1])
        assert loaded["failed"] == 0, loaded
        loaded["cpu"] = (self.cpu() - before) / loaded["requests"]
        return loaded

    def end(self):
        self.process.kill()
        self.process.wait()


def row(name, ours, theirs, unit, digits, more_is_better=False):
    ratio = ours / theirs if more_is_better else theirs / ours
    print(f"| {name} | {theirs:,.{digits}f}{unit} | {ours:,.{digits}f}{unit} | {ratio:.2g} |")


def loads(name, ours, theirs):
    rates = (side["requests"] / side["seconds"] for side in (ours, theirs))
    row(f"{name}, a second", *rates, "", 0, more_is_better=True)
    row("CPU of one", ours["cpu"] * 1e6, theirs["cpu"] * 1e6, " µs", 0)
    row("99 of 100 within", ours["p99"], theirs["p99"], " ms", 2)


def main(program, seconds):
    with tempfile.TemporaryDirectory() as folder:
        database = {"REFUND_DB": f"{folder}/refund.db"}
        hitl = lambda: Server([program, "serve", "--listen", "127.0.0.1:{port}"], database)
        sdk = lambda: Server([sys.executable, str(HERE / "hello.py"), "{port}"])
        print(f"load {os.getloadavg()[0]:.1f}")
        starts = {hitl: [], sdk: []}
        for side in [hitl, sdk] * STARTS:
            server = side()
            starts[side].append(server.first_ping * 1000)
            server.end()
        ours, theirs = hitl(), sdk()
        try:
            ask(ours.port, "POST", "/invocations", json.dumps({"thread_id": "t", "message": TEXT}))
            show = json.dumps({"action": "get", "thread_id": "t"})
            pings = [server.load(seconds, "/ping") for server in (ours, theirs)]
            shown = ours.load(seconds, "/invocations", show)
            hello = theirs.load(seconds, "/invocations", json.dumps({"prompt": "Mara"}))
            print("| measure | Python SDK | hitl | times better |\n|---|---|---|---|")
            row("start to first ping", *(statistics.median(starts[side]) for side in (hitl, sdk)), " ms", 1)
            loads("pings", *pings)
            loads("invocations (a hello; a waiting thread out of SQLite)", shown, hello)
            row("memory at the most", ours.memory(), theirs.memory(), " MB", 0)
        finally:
            ours.end()
            theirs.end()
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
