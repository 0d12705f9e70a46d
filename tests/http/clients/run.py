"""Validates the description of the HTTP API, and decides reviews by a client that is generated from it.

`.ci/openapi` calls it with the path of the refund agent.
"""

import contextlib
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import jsonschema
import openapi_spec_validator

MESSAGE = "Please refund order A-9133, it arrived broken. I paid $149."
MARA = {"operator": "mara", "roles": ["refund-approver"]}


@contextlib.contextmanager
def served(program, folder, *arguments, **settings):
    """Runs our program, and yields its address, which is in the first line of its output."""
    settings = {"HITL_OPERATORS": "claimed", "REFUND_DB": f"{folder}/refund.db"} | settings
    command = [program, "serve", "--listen", "127.0.0.1:0", *arguments]
    process = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://{json.loads(process.stdout.readline())['address']}"
    finally:
        process.kill()
        process.wait()


def fetched(url):
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def generate(document, folder):
    """Generates a client, and imports it."""
    path = pathlib.Path(folder, "openapi.json")
    path.write_text(json.dumps(document))
    generator = pathlib.Path(sys.executable).with_name("openapi-python-client")
    # Ruff, which formats the client, is beside the generator.
    settings = os.environ | {"PATH": f"{generator.parent}:{os.environ['PATH']}"}
    command = [generator, "generate", "--path", path, "--output-path", f"{folder}/generated_client", "--meta", "none", "--fail-on-warning"]
    subprocess.run(command, check=True, env=settings, stdout=subprocess.DEVNULL)
    sys.path.insert(0, folder)
    return importlib.import_module("generated_client")


def operation(name):
    """Returns the module of an operation, which is in the package of its tag."""
    api = importlib.import_module("generated_client.api")
    (tag,) = (path.parent.name for path in pathlib.Path(api.__path__[0]).glob(f"*/{name}.py"))
    return importlib.import_module(f"generated_client.api.{tag}.{name}")


def fits(document, name, value):
    """Checks a reply against its schema in the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)


def main(program):
    with (
        tempfile.TemporaryDirectory() as folder,
        served(program, folder) as runner,
        served(program, folder, "--front", HITL_RUNNER_URL=runner) as front,
    ):
        document = fetched(f"{front}/v1/openapi.json")
        openapi_spec_validator.validate(document, cls=openapi_spec_validator.OpenAPIV31SpecValidator)
        assert document == fetched(f"{runner}/v1/openapi.json")
        review = document["x-hitl-reviews"]["execute"]
        draft = document["components"]["schemas"][review["draft"]["$ref"].rsplit("/", 1)[1]]
        assert draft["properties"]["amount"]["maximum"] == 10_000, draft

        generated = generate(document, folder)
        models = importlib.import_module("generated_client.models")
        runner, front = (generated.Client(base_url=url, raise_on_unexpected_status=True) for url in (runner, front))
        start = operation("start_thread")
        for thread in ("one", "two", "three"):
            body = models.Start.from_dict({"thread_id": thread, "input": {"message": MESSAGE}})
            view = start.sync(client=runner, body=body)
            assert view.reviews[0].verdicts == ["approve", "edit", "reject", "ask"], view
            fits(document, "ThreadView", view.to_dict())
            fits(document, review["draft"]["$ref"].rsplit("/", 1)[1], view.reviews[0].draft)

        page = operation("list_reviews").sync(client=front, **MARA)
        assert [row.thread for row in page.reviews] == ["one", "two", "three"], page
        fits(document, "ReviewPage", page.to_dict())
        (one, two, three) = page.reviews

        edit = models.EditVerdict.from_dict(MARA | {"verdict": "edit", "patch": {"draft": {"amount": 99}}})
        preview = operation("preview_verdict").sync(thread="one", digest=one.digest, client=front, body=edit)
        assert preview.signs["amount"] == 99, preview
        fits(document, "VerdictPreview", preview.to_dict())
        give = operation("give_verdict")
        view = give.sync(thread="one", digest=one.digest, client=front, body=edit)
        assert view.fields["draft"]["amount"] == 99, view

        late = give.sync(thread="one", digest=one.digest, client=front, body=edit)
        assert isinstance(late, models.Problem) and late.code == "already_decided", late
        assert late.additional_properties["by"] == "mara", late
        fits(document, "Problem", late.to_dict())
        odd = models.EditVerdict.from_dict(MARA | {"verdict": "edit", "patch": {"draft": {"amount": 0}}})
        odd = give.sync(thread="two", digest=two.digest, client=front, body=odd)
        assert [error.path for error in odd.errors] == ["draft.amount"], odd

        batch = MARA | {
            "verdict": "approve",
            "reviews": [{"thread_id": row.thread, "digest": row.digest} for row in (two, three)],
        }
        give = operation("give_batch")
        preview = give.sync(client=front, body=models.ApproveBatch.from_dict(batch))
        assert (preview.count, preview.decided, preview.node) == (2, False, "execute"), preview
        fits(document, "BatchReply", preview.to_dict())
        decided = give.sync(client=front, body=models.ApproveBatch.from_dict(batch | {"confirm": preview.confirm}))
        assert (decided.count, decided.decided) == (2, True), decided

        history = operation("get_history").sync("one", client=front)
        assert [row.event.additional_keys[0] for row in history.entries][:4] == ["started", "ran", "ran", "paused"], history
        fits(document, "HistoryPage", history.to_dict())
        threads = operation("list_threads").sync(client=front, **MARA)
        assert len(threads.threads) == 3, threads
        fits(document, "ThreadPage", threads.to_dict())
        pause = models.StopRequest.from_dict(MARA | {"reason": "a test"})
        stops = operation("pause_graph").sync(client=front, body=pause)
        assert stops.stops[0].reason == "a test", stops
        fits(document, "StopList", stops.to_dict())
    print("the document is valid, and a generated client decides reviews")


main(sys.argv[1])
