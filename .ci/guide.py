"""The guide, as somebody would follow it: each chapter is one shell, and each answer is the one that the guide shows."""

import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile

# How long it may take, in seconds, with a build in it.
PATIENCE = 1200

FEATURES = "agentcore,dynamodb,bedrock,kms"

# The command line that also holds what is sent against the service's model. Nobody here ends sessions: that is not sent.
STRICT = """
aws() {
  if [ "$2" = stop-runtime-session ]; then set -- "$@" --generate-cli-skeleton output; fi
  python3 .ci/guide-aws.py "$@"
}
"""


class Wrong(Exception):
    pass


def chapter(guide, title):
    """What stands under a heading of the first rank, up to the next one."""
    return re.search(rf"^# {title}\n(.*?)(?=^# \w|\Z)", guide, re.M | re.S)[1]


def commands(text):
    """Each command of the console blocks, and the answer that is shown."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        command, answer = None, []
        for line in block.splitlines():
            if command is not None and not is_whole(command):
                command += "\n" + line
            elif line.startswith("$ "):
                if command is not None:
                    yield command, answer
                command, answer = line[2:], []
            else:
                answer.append(line)
        yield command, answer


def is_whole(command):
    """Whether a shell would run it, and not wait for more."""
    said = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
    open_document = "here-document" in said.stderr
    return said.returncode == 0 and not open_document and not command.endswith(("\\", "|"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


# What a shell says of a process that it started and that was killed.
NOTICE = re.compile(r"bash: line \d+: +\d+ Killed ")


class Shell:
    """One bash. What it starts ends with it."""

    DONE = "-- done with"
    LOOP = """while IFS= read -r -d "" command <&{0}; do
        eval "$command" {0}<&-
        code=$?; echo; echo "{1} $code"
    done"""

    def __enter__(self):
        read, self.write = os.pipe()
        self.process = subprocess.Popen(
            ["bash", "-c", self.LOOP.format(read, self.DONE)],
            pass_fds=[read], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )
        os.close(read)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def run(self, command):
        """What it says, and its exit code."""
        os.write(self.write, command.encode() + b"\0")
        said = []
        for line in self.process.stdout:
            if line.startswith(self.DONE):
                return "".join(said).rstrip("\n"), int(line.removeprefix(self.DONE))
            # A terminal shows it as soon as the killed process is gone, which may be after the next command.
            if not NOTICE.match(line):
                said.append(line)
        raise Wrong(f"{command}\nended the shell, which said:\n{''.join(said)}")


def fits(said, shown):
    """Whether it is what the guide shows, where `…` is anything."""
    pattern = r"\s+".join(re.escape(word).replace("…", ".*") for word in "\n".join(shown).split())
    return re.fullmatch(pattern, said.strip(), re.S) is not None


class Reader:
    """Somebody who types a chapter, and for whom some words are others on this machine."""

    def __init__(self, shell, here):
        self.shell, self.here, self.count = shell, here, 0
        self.run(STRICT)

    def run(self, command):
        """For what the reader is not shown, too."""
        # In one pass, because a port of this machine may contain one of the guide's.
        words = "|".join(re.escape(theirs) for theirs in sorted(self.here, key=len, reverse=True))
        if words:
            command = re.sub(words, lambda theirs: self.here[theirs[0]], command)
        said, code = self.shell.run(command)
        if code != 0:
            raise Wrong(f"$ {command}\nexit code {code}, and said:\n{said}")
        return said

    def follow(self, text):
        for command, shown in commands(text):
            said = self.run(command)
            if shown and not fits(said, shown):
                raise Wrong(f"$ {command}\nsaid:\n{said}\nand shown is:\n" + "\n".join(shown))
            self.count += 1

    def expect(self, answer, what, command):
        if (said := self.run(command)) != answer:
            raise Wrong(f"{what}:\n$ {command}\n{said}\nand should be:\n{answer}")


def built():
    """What cargo builds, with what CI has compiled already, and where it puts it, if not where the guide says.

    `.ci/features` compiles the library with the guide's own features."""
    target = os.environ.get("CARGO_TARGET_DIR")
    there = {"target/debug": f"{shlex.quote(target)}/debug"} if target else {}
    return there | {f"--features {FEATURES}": "--workspace --all-features"}


def offline(guide):
    here = {port: str(free_port()) for port in ("4566", "4010", "8080", "8081", "8082")} | built()
    text, end = chapter(guide, "Offline, by anybody").split("## The end\n")
    with Shell() as shell:
        reader = Reader(shell, here)
        reader.follow(text)
        reader.expect(
            "(2, 16900, 2)",
            "each refund is paid once, for one call",
            """python3 -c 'import sqlite3, sys
calls = "(SELECT count(*) FROM calls)"
print(sqlite3.connect(sys.argv[1]).execute(f"SELECT count(*), sum(cents), {calls} FROM refunds").fetchone())
' "${REFUND_DB%.db}.ledger.db" """,
        )
        reader.expect(
            "found",
            "the same look finds what is not sealed",
            """HITL_KMS_KEY= HITL_MODEL= HITL_GUARDRAIL= $refund start --thread ticket-A-9133-plain \\
  'A-9133 arrived broken, refund my $149' > /dev/null
python3 "$here/look.py" | grep --quiet --invert-match ' 0$' && echo found""",
        )
        reader.follow(end)
        return reader.count


def account(guide):
    """The second chapter, with ministack for AWS and our program where AgentCore would start it."""
    model, aws, agent = free_port(), free_port(), free_port()
    here = built() | {
        "https://bedrock-agentcore.$AWS_REGION.amazonaws.com": f"http://127.0.0.1:{agent}",
        # ministack knows no conditions of KMS, and asks for rights to models by names that AWS has not.
        '"Condition": { "StringEquals": { "kms:EncryptionContext:hitl": "journal" } }': '"Condition": {}',
        '["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]': '"bedrock:Converse*"',
        "foundation-model/${model#*.}": "foundation-model/$model",
    }
    making, asking = chapter(guide, "In an account, line by line").split("## A customer, and an operator\n")
    by_token, by_iam = asking.split("## AWS's own clients\n")
    with tempfile.TemporaryDirectory() as folder, Shell() as shell:
        reader = Reader(shell, here)
        reader.run(f"folder={shlex.quote(folder)} model_port={model} aws_port={aws} agent_port={agent}\n{STAGE}")
        reader.follow(making)
        reader.run(AGENTCORE)
        reader.follow(by_token)
        reader.run("kill $container; container")
        text, end = by_iam.split("## The end\n")
        reader.follow(text)
        reader.expect("2\t2", "what has ended will be forgotten", FORGOTTEN)
        reader.expect("credentials-process\ncredentials-login\nsso", "profiles that are not read", PROFILES)
        reader.follow(end)
        return reader.count


# AWS, but for AgentCore's machines, in an account of its own; and no docker.
STAGE = """
PATH=$PWD/target/aws/bin:$PATH
export AWS_ENDPOINT_URL=http://127.0.0.1:$aws_port AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
.ci/aimock examples/refund/model.json $model_port > "$folder/aimock.log" &
AUTH=true MINISTACK_ACCOUNT_ID=111122223333 MINISTACK_BEDROCK_PROXY_URL=http://127.0.0.1:$model_port \\
  BIND_HOST=127.0.0.1 GATEWAY_PORT=$aws_port ministack > "$folder/ministack.log" 2>&1 &
for port in $model_port $aws_port; do
  curl --silent --output /dev/null --retry 60 --retry-delay 1 --retry-connrefused 127.0.0.1:$port
done
docker() { test "$1" = buildx || cat > /dev/null; }
"""

# What AgentCore does: it keeps a log, and starts the program under the role, with the settings of the image and the runtime and no others. But
# Cognito's keys are at ministack.
AGENTCORE = """
aws logs create-log-group --log-group-name "/aws/bedrock-agentcore/runtimes/$runtime-DEFAULT"
aws iam update-assume-role-policy --role-name refund-runtime --policy-document '{"Version": "2012-10-17", "Statement":
  [{"Effect": "Allow", "Principal": {"AWS": "'$account'"}, "Action": "sts:AssumeRole"}]}'
container() {
  local key secret session settings defaults
  read -r key secret session < <(aws sts assume-role --role-arn "$role" --role-session-name container --output text \\
    --query 'Credentials.[AccessKeyId, SecretAccessKey, SessionToken]')
  mapfile -t settings < <(aws bedrock-agentcore-control get-agent-runtime --agent-runtime-id "$runtime" \\
    --query environmentVariables | python3 -c '
import json, sys
for name, value in json.load(sys.stdin).items(): print(name, value, sep="=")' |
    sed "/^HITL_JWKS_URL=/s|https://[^/]*|$AWS_ENDPOINT_URL|")
  mapfile -t defaults < <(sed -n "/^ENV HITL_/s/^ENV //p" examples/refund/Dockerfile)
  env -i "${defaults[@]}" "${settings[@]}" AWS_ENDPOINT_URL="$AWS_ENDPOINT_URL" AWS_ACCESS_KEY_ID="$key" AWS_SECRET_ACCESS_KEY="$secret" \\
    AWS_SESSION_TOKEN="$session" REFUND_DB="$folder/refund.db" \\
    target/debug/examples/refund serve --listen 127.0.0.1:$agent_port > "$folder/container.log" 2>&1 &
  container=$!
  curl --silent --retry 30 --retry-delay 1 --retry-connrefused 127.0.0.1:$agent_port/ping
}
export AWS_ENDPOINT_URL_BEDROCK_AGENTCORE=http://127.0.0.1:$agent_port
container
"""

# How many threads there are, and how many have a time to live. The layout record of the table looks like a thread.
FORGOTTEN = """aws dynamodb scan --table-name threads --output text --query \\
  "[length(Items[?sk.S == 'head' && !contains(pk.S, 'layout')]), length(Items[?sk.S == 'head' && expires])]" """

# Which features of aws-config the program says it lacks, for a profile of each kind.
PROFILES = """
cat > "$folder/config" <<END
[profile process]
credential_process = true
[profile login]
login_session = arn:aws:iam::111122223333:user/mara
[profile sso]
sso_start_url = https://refunds.example/start
sso_region = eu-central-1
sso_account_id = 111122223333
sso_role_name = operator
END
for profile in process login sso; do
  env -i HITL_STORE=dynamodb:threads AWS_REGION=eu-central-1 AWS_CONFIG_FILE="$folder/config" AWS_PROFILE=$profile \\
    target/debug/examples/refund inbox 2>&1 | sed 's/.*feature(s) enabled: \\([a-z-]*\\).*/\\1/'
done
"""


def main(path):
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("the guide takes too long"))
    signal.alarm(PATIENCE)
    guide = pathlib.Path(path).read_text()
    try:
        print(f"guide: {offline(guide)} commands offline, {account(guide)} in an account that is none")
    except Wrong as wrong:
        sys.exit(f"{path} is wrong:\n{wrong}")


if __name__ == "__main__":
    main(sys.argv[1])
