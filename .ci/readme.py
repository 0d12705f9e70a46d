"""The README, typed by a newcomer: each console line as it stands, on a terminal, and each transcript held against the screen."""

import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import time

from guide import Wrong, commands, fits, free_port

# The longest that one command may take, in seconds, with a build in it.
PATIENCE = 1800

MESSAGE = "Please refund order A-9133, it arrived broken. I paid $149."


class Terminal:
    """One command on a terminal of its own."""

    def __init__(self, command):
        self.command, self.text = command, ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            # Python ignores these two, and what it starts would inherit that; a person's shell does not.
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.execvp("bash", ["bash", "-c", command])

    def read(self, deadline):
        """Whether there was anything to read before the command ended."""
        if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
            raise Wrong(f"$ {self.command}\nsays nothing more after:\n{self.text}")
        try:
            read = os.read(self.master, 65536)
        except OSError:  # The other side is closed.
            read = b""
        self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read.decode(errors="replace").replace("\r", ""))
        return bool(read)

    def until(self, prompt):
        deadline = time.monotonic() + PATIENCE
        start = len(self.text)
        while prompt not in self.text[start:]:
            if not self.read(deadline):
                raise Wrong(f"$ {self.command}\nnever asks `{prompt}`, and said:\n{self.text}")

    def type(self, line):
        os.write(self.master, line.encode() + b"\n")

    def end(self, codes=(0,)):
        deadline = time.monotonic() + PATIENCE
        while self.read(deadline):
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if code not in codes:
            raise Wrong(f"$ {self.command}\nexit code {code}, and said:\n{self.text}")
        return self.text

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        return self.end((0, -signal.SIGTERM))


def blocks(readme):
    """The console blocks, each with the text block that follows it at once, if one does."""
    pattern = r"^```(\w+)\n(.*?)^```$"
    found = [(m[1], m[2], m.start(), m.end()) for m in re.finditer(pattern, readme, re.M | re.S)]
    for at, (kind, body, _, _) in enumerate(found):
        if kind == "console":
            shown = found[at + 1][1] if at + 1 < len(found) and found[at + 1][0] == "text" else ""
            yield f"```console\n{body}```\n", shown


def answers(shown):
    """What the transcript's person types, each after the prompt that is shown before it."""
    for line in shown.splitlines():
        if "›" in line:
            prompt, _, typed = line.partition("›")
            yield prompt.strip()[-20:], typed.strip()


def session(command, shown):
    """A walk through the transcript."""
    terminal = Terminal(command)
    for prompt, typed in answers(shown):
        terminal.until(f"{prompt} ›")
        terminal.type(typed)
    said = terminal.end()
    thread = re.search(r"refund-agent-\w+", said)[0]
    known = re.search(r"refund-agent-\w+", shown)[0]
    screen = said.replace(thread, known)
    screen = re.sub(r"digest [0-9a-f]+", "digest …", screen)
    shown = re.sub(r"digest [0-9a-f]+", "digest …", shown)
    # The screen begins with what cargo says.
    if not fits(screen[screen.index(shown.splitlines()[0]):], shown.splitlines()):
        raise Wrong(f"$ {command}\nshows:\n{screen}\nand the README shows:\n{shown}")
    return known


def left(command):
    """A thread that waits because its person leaves at the prompt."""
    terminal = Terminal(command)
    terminal.until("message ›")
    terminal.type(MESSAGE)
    terminal.until("[l]eave ›")
    terminal.type("l")
    # 3: the thread waits for a person.
    return re.search(r"refund-agent-\w+", terminal.end((3,)))[0]


class Newcomer:
    def __init__(self):
        self.known, self.thread, self.digest, self.server, self.typed = None, None, None, None, 0
        self.ports = {"8080": str(free_port()), "11434": str(free_port())}

    def here(self, command):
        """The command with this run's own thread, digest and ports for those that the README shows."""
        if self.thread:
            command = command.replace(self.known, self.thread)
        if self.digest:
            command = command.replace("…", self.digest)
        for theirs, ours in self.ports.items():
            command = re.sub(rf":{theirs}\b", f":{ours}", command)
        return command

    def follow(self, readme):
        for block, shown in blocks(readme):
            for command, _ in commands(block):
                self.type(command, shown)
                self.typed += 1

    def type(self, command, shown):
        print(f"$ {command}", flush=True)
        first = command == "cargo run --example refund"
        command = self.here(command)
        if first:
            self.known = session(command, shown)
            self.thread = left(command)
        elif " approve " in command:
            terminal = Terminal(command)
            terminal.until("[y/n] ›")
            terminal.type("y")
            terminal.end()
        elif "HITL_MODEL=" in command:
            self.ask_a_model(command)
        elif " serve " in command:
            self.server = Terminal(command)
            self.server.until('"address"')
        elif command.startswith("curl"):
            self.post(command)
        else:
            Terminal(command).end()

    def ask_a_model(self, command):
        """Ollama's place is taken by a server that answers as it does."""
        port = self.ports["11434"]
        emulator = subprocess.Popen([".ci/aimock", "examples/refund/model.json", port], stdout=subprocess.DEVNULL)
        try:
            subprocess.run(
                ["curl", "--silent", "--output", "/dev/null", "--retry", "60", "--retry-delay", "1",
                 "--retry-connrefused", f"127.0.0.1:{port}"], check=True)
            left(command)
        finally:
            emulator.terminate()

    def post(self, command):
        """The answer is the thread: it waits for the digest that the next request names, and then it has ended."""
        said = Terminal(command).end()
        standing = re.search(r'"standing":"(\w+)"', said)
        expected = "ended" if self.digest else "waiting"
        if not standing or standing[1] != expected:
            raise Wrong(f"$ {command}\nshould be {expected}:\n{said}")
        if not self.digest:
            self.digest = re.search(r'"digest":"(\w+)"', said)[1]
        else:
            self.server.stop()


def main(path):
    newcomer = Newcomer()
    try:
        newcomer.follow(pathlib.Path(path).read_text())
    except Wrong as wrong:
        sys.exit(f"{path} is wrong:\n{wrong}")
    print(f"readme: {newcomer.typed} commands typed")


if __name__ == "__main__":
    main(sys.argv[1])
