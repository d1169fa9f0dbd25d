#!/usr/bin/env python3
"""make_vectors.py: price tables and calls with what they cost, from the text of docs/format.md ("Price table") alone.

Writes vectors.json beside itself: tables in their canonical form with their SHA-256, each with calls, and for each call the
amount or null where it is unpriced. Needs nothing but Python. The numbers are drawn from one seed, so the file is always
the same.
"""

import hashlib, json, random
from datetime import date, timedelta
from pathlib import Path

COMPONENTS = [
    "input", "cached_input", "cache_write_5m", "cache_write_1h", "output", "reasoning",
    "audio_input", "audio_cached_input", "audio_output",
]
random.seed(141)


def millionths(text):
    whole, _, fraction = text.partition(".")
    return int(whole) * 10**6 + int(fraction.ljust(6, "0") or 0)


def order(price):
    """Ascending by the members in the order of the page; an absent one before any other."""
    def maybe(value):
        return (0,) if value is None else (1, value)

    def rates(rates):
        return tuple(maybe(millionths(rates[name]) if name in rates else None) for name in COMPONENTS)

    return (
        price["provider"], price["model"], maybe(price.get("region")), maybe(price.get("service_tier")),
        maybe(price.get("from")), maybe(price.get("until")), price["currency"], rates(price["rates"]),
        [(tier["above"], rates(tier["rates"])) for tier in price.get("tiers", [])],
    )


def canonical(table):
    return json.dumps(table, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def fits(pattern, name):
    """`*` is any text, `#` one digit."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(fits(pattern[1:], name[at:]) for at in range(len(name) + 1))
    if not name:
        return False
    one = name[0] in "0123456789" if pattern[0] == "#" else name[0] == pattern[0]
    return one and fits(pattern[1:], name[1:])


def closeness(pattern):
    is_name = "*" not in pattern and "#" not in pattern
    return (is_name, len(pattern.replace("*", "")), pattern.find("*") == len(pattern) - 1)


def small(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def find(table, call):
    provider = small(call["provider"])
    provider = table.get("aliases", {}).get(provider, provider)
    fitting = []
    for price in table["prices"]:
        if price["provider"] == provider:
            close = [closeness(one) for one in price["model"] if fits(one, small(call["model"]))]
            if close:
                fitting.append((max(close), price))
    if not fitting:
        return None
    closest = max(close for close, _ in fitting)
    found = [price for close, price in fitting if close == closest]
    tier = call.get("service_tier")
    tier = None if tier in ("default", "standard") else tier
    found = [price for price in found if price.get("service_tier") == tier]
    region = call.get("region")
    named = [price for price in found if region is not None and price.get("region") == region]
    found = named or [price for price in found if "region" not in price]
    day = call["day"]
    found = [price for price in found if price.get("from", "") <= day and day < price.get("until", "9")]
    return found[0] if found else None


def cost(table, call):
    price = find(table, call)
    if price is None:
        return None
    used = call["usage"]
    cached, hour = used.get("cached_input", 0), used.get("cache_write_1h", 0)
    written = used.get("cache_write", hour)
    audio_in, audio_cached = used.get("audio_input", 0), used.get("audio_cached_input", 0)
    if audio_in and cached and "audio_cached_input" not in used:
        return None
    reads = {"input": used["input"] - (cached + written if call["basis"] == "inclusive" else 0)}
    prompt = used["input"] + (0 if call["basis"] == "inclusive" else cached + written)
    rates = price["rates"]
    for tier in price.get("tiers", []):
        if prompt > tier["above"]:
            rates = tier["rates"]
    output, reasoning, audio_out = used["output"], used.get("reasoning", 0), used.get("audio_output", 0)
    counts = {
        "input": reads["input"] - (audio_in - audio_cached),
        "cached_input": cached - audio_cached,
        "cache_write_5m": written - hour,
        "cache_write_1h": hour,
        "audio_input": audio_in - audio_cached,
        "audio_cached_input": audio_cached,
        "audio_output": audio_out,
        "output": output - audio_out,
        "reasoning": 0,
    }
    if counts["output"] < reasoning or any(number < 0 for number in counts.values()) or reads["input"] < 0:
        return None
    if "reasoning" in rates:
        counts["output"] -= reasoning
        counts["reasoning"] = reasoning
    total = 0
    for name, number in counts.items():
        if number and name not in rates:
            return None
        total += number * millionths(rates[name]) if number else 0
    return f"{total // 10**12}.{total % 10**12:012}"


def some_rate():
    number = random.choice([0, 1, random.randrange(10**6), random.randrange(10**8), random.randrange(10**15)])
    whole, fraction = divmod(number, 10**6)
    return f"{whole}.{fraction:06}".rstrip("0").rstrip(".")


def some_rates():
    names = ["input", "output"] + [name for name in COMPONENTS[1:] if random.random() < 0.6]
    return {name: some_rate() for name in names}


def some_prices():
    days = sorted(str(date(2026, 1, 1) + timedelta(days=random.randrange(300))) for _ in range(random.choice([0, 1, 2])))
    days = sorted(set(days))
    model = sorted(random.sample(["m", "m-*", "m-####", "m-1*", "*-2", "*n*", "m-1-x"], random.choice([1, 1, 2])))
    shared = {"currency": "USD", "model": model, "provider": random.choice(["p", "q"]), "unit": "mtok", "verified": "unchecked"}
    shared |= random.choice([{}, {}, {"service_tier": "batch"}])
    shared |= random.choice([{}, {}, {"region": "eu"}])
    for begin, end in zip([None] + days, days + [None]):
        price = dict(shared, rates=some_rates())
        price |= {"from": begin} if begin else {}
        price |= {"until": end} if end else {}
        if random.random() < 0.5:
            above = sorted(random.sample(range(1, 200_000), random.choice([1, 2])))
            price["tiers"] = [
                {"above": one, "by": "prompt", "rates": {name: some_rate() for name in price["rates"]}} for one in above
            ]
        yield price


def some_table():
    prices, taken = [], set()
    for _ in range(random.randrange(1, 9)):
        made = list(some_prices())
        keys = {(made[0]["provider"], one, made[0].get("service_tier"), made[0].get("region")) for one in made[0]["model"]}
        if not keys & taken:
            taken |= keys
            prices += made
    table = {"dated": "2026-11-30", "format": "trailkeep/prices/v1", "prices": sorted(prices, key=order)}
    if random.random() < 0.5:
        table["aliases"] = {"other": "p"}
    return table


def some_call():
    def number():
        return random.choice([0, random.randrange(10), random.randrange(300_000), random.randrange(10**12)])

    input_tokens = number()
    used = {"input": input_tokens, "output": number()}
    if random.random() < 0.6:
        used["cached_input"] = random.randrange(input_tokens + 2)
    if random.random() < 0.5:
        used["cache_write"] = random.randrange(input_tokens + 2) // 2
    if random.random() < 0.3:
        used["cache_write_1h"] = random.randrange(used.get("cache_write", input_tokens) + 2) // 2
    if random.random() < 0.4:
        used["reasoning"] = random.randrange(used["output"] + 2)
    if random.random() < 0.2:
        used["audio_input"] = random.randrange(input_tokens + 2) // 3
        if random.random() < 0.8:
            used["audio_cached_input"] = random.randrange(used["audio_input"] + 2) // 2
    if random.random() < 0.2:
        used["audio_output"] = random.randrange(used["output"] + 2) // 3
    call = {
        "provider": random.choice(["p", "P", "q", "other", "nobody"]),
        "model": random.choice(["m", "M", "m-1", "m-1234", "m-12345", "m-1-x", "x-2", "ana", "m-", "z"]),
        "day": str(date(2026, 1, 1) + timedelta(days=random.randrange(364))),
        "basis": random.choice(["inclusive", "exclusive"]),
        "usage": used,
    }
    tier = random.choice([None, None, "default", "batch", "flex"])
    region = random.choice([None, None, "eu", "us"])
    call |= {"service_tier": tier} if tier else {}
    call |= {"region": region} if region else {}
    return call


def main():
    vectors = []
    while len(vectors) < 40:
        table = some_table()
        text = canonical(table)
        calls = [dict(call, amount=cost(table, call)) for call in (some_call() for _ in range(160))]
        priced = [call for call in calls if call["amount"] is not None]
        unpriced = [call for call in calls if call["amount"] is None]
        kept = priced + unpriced[:5]
        digest = hashlib.sha256(text.encode()).hexdigest()
        vectors.append({"table": table, "sha256": digest, "calls": kept})
    lines = ",\n".join(json.dumps(one, separators=(",", ":"), sort_keys=True) for one in vectors)
    Path(__file__).with_name("vectors.json").write_text(f"[\n{lines}\n]\n")
    print(len(vectors), "tables,", sum(len(one["calls"]) for one in vectors), "calls,",
          sum(call["amount"] is not None for one in vectors for call in one["calls"]), "with a cost")


if __name__ == "__main__":
    main()
