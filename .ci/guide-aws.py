"""AWS's command line, which also refuses what the service's own model refuses.

By itself it checks names, types and least lengths, and leaves words, patterns and greatest lengths to the service. An
emulator may let those pass.
"""

import re
import sys

from awscli.clidriver import create_clidriver


def problems(shape, value, path):
    if shape.type_name == "structure":
        for name, part in value.items():
            yield from problems(shape.members[name], part, f"{path}.{name}")
    elif shape.type_name == "list":
        yield from outside(shape, len(value), path)
        for part in value:
            yield from problems(shape.member, part, path)
    elif shape.type_name == "map":
        yield from outside(shape, len(value), path)
        for key, part in value.items():
            yield from problems(shape.key, key, path)
            yield from problems(shape.value, part, f"{path}.{key}")
    elif shape.type_name == "string":
        yield from outside(shape, len(value), path)
        if shape.enum and value not in shape.enum:
            yield f"{path} is {value!r}, and is one of {shape.enum}"
        if (pattern := shape.metadata.get("pattern")) and not is_like(pattern, as_named(value)):
            yield f"{path} is {value!r}, and should be like {pattern}"
    elif shape.type_name in ("integer", "long"):
        yield from outside(shape, value, path)


def is_like(pattern, value):
    try:
        return re.search(rf"^(?:{pattern})$", value)
    except re.error:
        return True  # It is of a language that Python does not read.


def as_named(value):
    """As AWS itself would name it: ministack puts a hyphen into the names of guardrails, where AWS takes none."""
    return re.sub(r"^gr-(?=[0-9a-f]{12}$)", "", value)


def outside(shape, size, path):
    least, most = shape.metadata.get("min", size), shape.metadata.get("max", size)
    if not least <= size <= most:
        yield f"{path} has or is {size}, and should be from {least} to {most}"


def check(params, model, **_):
    if found := list(problems(model.input_shape, params, model.name)) if model.input_shape else []:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    driver = create_clidriver()
    driver.session.register("before-parameter-build", check)
    sys.exit(driver.main())
