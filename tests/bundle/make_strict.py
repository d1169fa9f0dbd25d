#!/usr/bin/env python3
"""make_strict.py OUTDIR [--seed N]: bundles that break one rule of docs/format.md each, signed with the right key.

Writes into OUTDIR/hostile beside what make_bundle.py makes, and OUTDIR/recorded.zip: a bundle whose export's statement
says what went out. Its rules go into hostile/expected.json, and the key that signs into OUTDIR/signing-key.hex, so that a
test can sign changed bundles anew. Needs the package `cryptography`.
"""

import argparse, json
from pathlib import Path

import make_bundle as made
from make_bundle import compact, make, make_ledger, on_json, on_line, seal, zipped
from cryptography.hazmat.primitives import serialization

SECTIONS = {
    "not-json": b"not json at all",
    "two-values": b'"a" "b"',
    "white-space-around": b' "a" ',
    "name-twice": b'{"id":"honest","id":"other"}',
    "name-twice-by-escape": b'{"a":{"id":1,"\\u0069d":2}}',
    "empty": b"",
    "lone-surrogate": b'"\\ud800"',
    "beyond-a-double": b"1e999",
    "nan": b"NaN",
    "too-deep": b"[" * 64 + b"]" * 64,
    "raw-control-character": b'{"a":"\x01"}',
    "trailing-comma": b"[1,]",
}


def with_section(seed, raw):
    """The ledger with another text as a section of an event, committed to as it is."""
    led, marks, openings = make_ledger(seed)
    other = made.Ledger(seed + 8)
    other.key, other.system_key = led.key, led.system_key
    for seq, kind in enumerate(led.kinds):
        sections = led.texts[seq] | ({"attributes": raw} if seq == 11 else {})
        other.append(kind, led.cls(seq), led.at(seq), sections)
    return make(other, marks, first=0, last=marks["export-1"], export="export-1")


def recorded(seed, section, first=1, last=31):
    """A range and the statement of its export behind it."""
    led, marks, openings = make_ledger(seed)
    end = led.at(len(led.kinds) - 1)
    text = {"action": "trailkeep.export", "export": section}
    marks["export-3"] = led.append(2, 0, end + 1000, text)
    return make(led, marks, first=first, last=last, export="export-3")


def without_statements(led, members, drop):
    """The bundle without some statements, its counts and proofs mended."""
    lines = [line for line in members["statements.jsonl"].decode().split("\n")[:-1]]
    lines = [line for line in lines if json.loads(line)["seq"] not in drop]
    data = members["statements-entries.bin"]
    rows = [data[at : at + 86] for at in range(0, len(data), 86)]
    rows = [row for row in rows if int.from_bytes(row[6:14], "big") not in drop]
    members = members | {
        "statements.jsonl": "".join(line + "\n" for line in lines).encode(),
        "statements-entries.bin": b"".join(rows),
    }
    members = made.on_count(members, statements=-len(drop))

    def fewer(proofs):
        proofs["inclusion"] = [row for row in proofs["inclusion"] if row["seq"] not in drop]

    return on_json(members, "proofs.json", fewer)


def hostile(seed):
    """name -> (members, why, rule)"""
    led, marks, openings = make_ledger(seed)
    gone = made.dispositions_of(led, marks, openings, 0, marks["export-2"], made.WITHHELD(led, marks))
    good = make(led, marks, first=0, last=marks["export-2"], gone=gone)
    full = make(led, marks, first=0, last=marks["export-1"], export="export-1")
    middle = make(led, marks, **made.MIDDLE(led, marks, openings))
    selection = make(led, marks, **made.SELECTION(led, marks, openings))
    out = {}

    def manifest(name, why, rule, change, of=full):
        out[name] = (on_json(of, "manifest.json", change), why, rule)

    def text(name, why, rule, member, old, new, of=full):
        assert old in of[member], (name, of[member][:300])
        out[name] = (of | {member: of[member].replace(old, new, 1)}, why, rule)

    def set_to(name, value):
        return lambda of: of.__setitem__(name, value)

    for name, raw in SECTIONS.items():
        out[f"section-{name}"] = (with_section(seed, raw), f"a section that is {name}", "section")

    # The export's own statement.
    manifest("export-is-an-access", "export_seq names an access statement", "export", set_to("export_seq", marks["access"]))
    manifest("export-is-an-event", "export_seq names an event", "export", set_to("export_seq", 11))
    manifest("export-is-nowhere", "export_seq names no entry", "export", set_to("export_seq", 4000))
    manifest("export-is-earlier", "export_seq names an export before the end of the range", "export", set_to("export_seq", marks["export-1"]), good)
    mine = {"by": "key-4f1c", "proof": "range", "filters": [], "entries": 31, "redacted_sections": [], "recipients": 0}
    out["export-of-other-entries"] = (recorded(seed, mine | {"entries": 30}), "the export's statement counts other entries", "export")
    out["export-of-other-proof"] = (recorded(seed, mine | {"proof": "selection"}), "the export's statement names another proof", "export")
    out["genesis-left-out"] = (without_statements(led, middle, {0}), "a range without the genesis", "genesis")
    out["genesis-left-out-of-selection"] = (without_statements(led, selection, {0}), "a selection without the genesis", "genesis")

    # proofs.json
    proofs = lambda change, of=full: on_json(of, "proofs.json", change)
    out["proof-twice"] = (proofs(lambda p: p["inclusion"].append(p["inclusion"][-1])), "an inclusion proof stands twice", "inclusion")
    out["proofs-descend"] = (proofs(lambda p: p["inclusion"].reverse()), "inclusion proofs that descend by seq", "inclusion")
    out["proof-of-nothing"] = (proofs(lambda p: p["inclusion"].insert(1, {"seq": 7, "path": []})), "an inclusion proof that nothing needs", "inclusion")
    out["proofs-unknown-name"] = (proofs(set_to("x", 1)), "an unknown name in proofs.json", "inclusion")
    out["consistency-twice"] = (proofs(lambda p: p["consistency"].append(p["consistency"][0]), middle), "two consistency proofs for one size", "inclusion")

    # manifest.json
    text("manifest-name-twice", "an unknown name stands twice", "manifest", "manifest.json", b'"software"', b'"zz":1,"zz":2,"software"')
    text("manifest-query-name-twice", "a name of the query stands twice", "manifest", "manifest.json", b'"query":{}', b'"query":{"from":"2025","from":"2026"}')
    text("manifest-deep-name-twice", "a name deep in an unknown member stands twice", "manifest", "manifest.json", b'"software"', b'"zz":[{"a":1,"\\u0061":2}],"software"')
    text("counts-not-whole", "a count written as 1.0", "manifest", "manifest.json", b'"expired":0', b'"expired":0.0')
    manifest("counts-unknown-name", "counts has an unknown name", "manifest", lambda m: m["counts"].update(held=5))
    manifest("statements-split-wrong", "the split of the statements is another", "counts", set_to("statements", {"inside": 1, "outside": 8}))
    manifest("class-not-used", "the manifest lists a class that no entry has", "class", lambda m: m["classes"].append({"number": 99, "policies": []}))
    manifest("class-twice", "the manifest lists a class twice, with other policies", "class", lambda m: m["classes"].append({**m["classes"][0], "policies": []}))
    manifest("no-recorded", "the manifest has no `recorded`", "manifest", lambda m: m.pop("recorded"))
    manifest("recorded-no-time", "recorded.from is no time", "manifest", lambda m: m["recorded"].update({"from": "2025-W01-1T00:00:00Z"}))
    manifest("no-software", "the manifest has no `software`", "manifest", lambda m: m.pop("software"))
    manifest("selection-other-range", "the range is not that of the selected entries", "manifest", lambda m: m["range"].update(last=m["range"]["last"] + 1), selection)

    # Lines.
    first_gone = min(gone)
    nulls = dict.fromkeys(("salt", "index", "path", "reason"))
    out["disposition-null"] = (on_line(good, "dispositions.jsonl", first_gone, lambda d: d.update({n: d.get(n) for n in nulls})), "a disposition with null members", "disposition")
    out["lines-crlf"] = (full | {"events.jsonl": full["events.jsonl"].replace(b"\n", b"\r\n")}, "lines that end with CRLF", "members")
    out["line-bom"] = (full | {"events.jsonl": b"\xef\xbb\xbf" + full["events.jsonl"]}, "a byte order mark before the lines", "members")
    out["pem-crlf"] = (full | {"public-key.pem": full["public-key.pem"].replace(b"\n", b"\r\n")}, "public-key.pem with CRLF", "key")
    empty = {name: data for name, data in selection.items() if name != "boundary.bin"}
    out["selection-no-boundary"] = (empty, "a selection without its empty boundary.bin", "members")
    return out, led.key, recorded(seed, mine)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("outdir", type=Path)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    bundles, key, good = hostile(args.seed)
    folder = args.outdir / "hostile"
    file = folder / "expected.json"
    expected = json.loads(file.read_text())
    for name, (members, why, rule) in bundles.items():
        (folder / f"{name}.zip").write_bytes(zipped(seal(members, key)))
        expected[f"{name}.zip"] = {"why": why, "rule": rule}
    file.write_text(json.dumps(dict(sorted(expected.items())), indent=1, ensure_ascii=False) + "\n")
    (args.outdir / "recorded.zip").write_bytes(zipped(seal(good, key)))
    raw = serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    (args.outdir / "signing-key.hex").write_text(key.private.private_bytes(*raw).hex() + "\n")


if __name__ == "__main__":
    main()
