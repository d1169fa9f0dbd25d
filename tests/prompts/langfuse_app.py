"""An application that fetches prompts with Langfuse's SDK, as its documentation says."""
import hashlib

from langfuse import Langfuse
from langfuse.api import NotFoundError

langfuse = Langfuse(tracing_enabled=False)

prompt = langfuse.get_prompt("support/refund")
assert (prompt.version, prompt.labels) == (1, ["ab", "production"]), vars(prompt)
assert prompt.compile(name="Ada") == "Be kind to Ada.", prompt.compile(name="Ada")
assert prompt.config["sha256"] == hashlib.sha256(b"Be kind to {{name}}.").hexdigest(), prompt.config
assert "experiment" not in prompt.config, prompt.config

assert langfuse.get_prompt("support/refund", version=2).prompt == "Be brief with {{name}}."
assert langfuse.get_prompt("support/refund", label="latest").version == 2

# The SDK names no unit: it gets the first version, and is told so.
several = langfuse.get_prompt("support/refund", label="ab")
assert several.version == 1
assert "named no unit" in several.config["experiment"]["note"], several.config

for missing in ({"name": "support/nobody"}, {"name": "support/refund", "label": "staging"}):
    try:
        langfuse.get_prompt(**missing)
    except NotFoundError as error:
        assert error.status_code == 404
    else:
        raise AssertionError(f"{missing} was found")
