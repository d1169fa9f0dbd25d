#!/usr/bin/env python3
"""recount.py EVENTS.ndjson TABLE.json: figures of calls, added up from the events themselves.

EVENTS.ndjson has the pages that `trailkeep query --json` prints, a line each, TABLE.json a price table in its canonical form. This program reads no
section `metered`: it counts what the events say, by docs/figures.md and docs/format.md ("Price table"). It prints JSON: for each
(provider, model name, outcome) calls, tokens, cost in 10^-12, calls without a price, and the sorted times.
"""

import json, sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "prices"))
from make_vectors import cost  # noqa: E402

NO_CALLS = {
    "agent_event", "create_agent", "execute_task", "execute_tool", "invoke_agent", "invoke_workflow", "late", "request",
    "response", "tool_decision", "user_prompt",
}
USAGE = ["input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning", "audio_input", "audio_output"]
NAMES = {
    "cache_write": "cache_write_input_tokens", "cache_write_1h": "cache_write_1h_input_tokens",
}


def is_call(event):
    action = event["action"]
    if action.startswith("gen_ai."):
        return action[len("gen_ai."):] not in NO_CALLS and "llm" in event
    return action == "chat.completion" and "llm" in event


def main():
    table = json.loads(Path(sys.argv[2]).read_text())
    cells = defaultdict(lambda: {
        "calls": 0, "errors": 0, "tokens": dict.fromkeys(USAGE, 0), "cost": {}, "unpriced": 0, "latency_ms": [],
    })
    pages = Path(sys.argv[1]).read_text().splitlines()
    for row in (row for page in pages for row in json.loads(page)["events"]):
        event = row["event"]
        if not is_call(event):
            continue
        llm = event["llm"]
        model = llm.get("response_model") or llm.get("request_model")
        outcome = event.get("outcome", "none")
        cell = cells["|".join([llm.get("provider", "none"), model or "none", outcome])]
        cell["calls"] += 1
        has_failed = outcome in ("error", "failure") or "error_type" in llm
        has_failed = has_failed or llm.get("finish_reason") == "content_filter"
        cell["errors"] += has_failed
        if "latency_ms" in llm:
            cell["latency_ms"].append(llm["latency_ms"])
        said = {name: llm.get("usage", {}).get(NAMES.get(name, f"{name}_tokens")) for name in USAGE}
        usage = {name: int(count) for name, count in said.items() if count is not None}
        for name, count in usage.items():
            cell["tokens"][name] += count
        if not usage and has_failed and "cost" not in llm:
            continue
        call = {
            "provider": llm.get("provider", ""), "model": model or "", "day": row["recorded_at"][:10],
            "service_tier": llm.get("service_tier"), "region": None, "basis": "inclusive", "usage": usage,
        }
        is_known = "input" in usage and "output" in usage
        amount, currency = cost(table, call) if is_known else None, "USD"
        amount = None if amount is None else int(amount.replace(".", ""))
        if amount is None and "cost" in llm:
            amount, currency = round(llm["cost"]["amount"] * 10**12), llm["cost"]["currency"]
        if amount is None:
            cell["unpriced"] += 1
        else:
            cell["cost"][currency] = cell["cost"].get(currency, 0) + amount
    for cell in cells.values():
        cell["latency_ms"].sort()
    print(json.dumps(cells))


if __name__ == "__main__":
    main()
