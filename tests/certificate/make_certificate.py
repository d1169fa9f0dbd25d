#!/usr/bin/env python3
"""make_certificate.py OUTDIR: certificates, good and hostile, from the text of docs/format.md alone.

Needs the package `cryptography`, and make_bundle.py for the ledger. The same bytes each time.
"""

import base64, copy, hmac, json, struct, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bundle"))
import make_bundle as mb

ORIGIN, b64, sha, compact = mb.ORIGIN, mb.b64, mb.sha, mb.compact
REQUEST = "00112233445566778899aabbccddeeff"
RECEIPT = "7K3M-V2QX-0D9T-HN4R"
SUBJECT = ("patient", "p-1")
SALT = bytes(range(32))
NOTE = "Made by another program."
# What came after 0.1.0: how a request came in, and by what kind of check it was established who asks.
TOLD = {"manner": "email", "identity_kind": "account-login"}


def text16(text):
    return struct.pack(">H", len(text.encode())) + text.encode()


def subject_commitment(request=REQUEST, salt=SALT, subject=SUBJECT):
    head = b"trailkeep/subject/v1\n" + text16(ORIGIN) + text16(request)
    return b64(sha(head + salt + text16(subject[0]) + text16(subject[1])))


def proof(led, seq, size):
    path = "".join(b64(h) + "\n" for h in mb.tree_path(seq, led.signed(size)))
    extra = b64(led.entries[seq])
    return f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex {seq}\n{path}\n{led.checkpoint(size).decode()}"


def says(led, seq):
    sections = {}
    for name in sorted(led.texts[seq], key=lambda n: n.encode()):
        salt = hmac.digest(led.salts[seq], name.encode(), "sha256")
        sections[name] = {"salt": b64(salt), "json": led.texts[seq][name].decode()}
    return {"seq": seq, "sections": sections}


def request_section(kind, **more):
    section = {
        "id": REQUEST,
        "receipt": RECEIPT,
        "type": kind,
        "regime": "gdpr",
        "received_on": "2025-01-30",
        "subject": subject_commitment(),
        "identified": True,
        "by": "local",
    }
    return section | more


class Case:
    """A ledger with one request, what answered it, and the certificate of that."""

    def __init__(self, kind, outcome, held, disclosed=0, destroyed=0, kept=0, told=None):
        self.led = led = mb.Ledger(7)
        at = mb.millis("2025-01-31T09:00:00.000Z")
        ledger = {"format": "trailkeep/ledger/v1", "origin": ORIGIN, "id": "ab" * 16, "vkey": led.key.vkey}
        led.append(0, 0, at, {"ledger": ledger})
        events = [
            led.append(1, 1, at + i, {"action": "a", "actor": {"id": "x"}, "id": f"e{i}"}) for i in range(5)
        ]
        told = told or {}
        section = request_section(kind, **told)
        self.request = led.append(2, 0, at + 10, {"action": "trailkeep.privacy.receive", "request": section})
        self.statement = None
        if destroyed:
            covers, _ = led.items(events[:destroyed])
            covers |= {"cause": "request", "requests": [self.request]}
            self.statement = led.append(2, 0, at + 20, {"action": "trailkeep.erasure", "covers": covers})
        self.export = None
        if kind in ("access", "portability"):
            export = {"proof": "selection", "request": REQUEST}
            self.export = led.append(2, 0, at + 25, {"action": "trailkeep.export", "export": export})
        self.numbers = {"held": held, "disclosed": disclosed, "destroyed": destroyed, "kept": kept}
        answer = {
            "id": REQUEST,
            "receipt": RECEIPT,
            "type": kind,
            "outcome": outcome,
            "events": self.numbers,
            "statement": self.statement,
            "export": self.export,
            "by": "local",
        }
        rows = []
        if kept:
            rows.append(
                {
                    "class": 3,
                    "policies": ["hipaa 1"],
                    "events": kept,
                    "state": "held" if outcome == "held" else "restricted",
                    "until": None if outcome == "held" else "2031-02-02T00:00:00Z",
                    "ground": "a ground",
                    "citation": "a citation",
                }
            )
        if told:
            answer["kept"] = rows
        self.answer = led.append(2, 0, at + 30, {"action": "trailkeep.privacy.answer", "answer": answer})
        self.size = led.append(1, 1, at + 40, {"action": "a", "actor": {"id": "x"}, "id": "last"}) + 1
        gone = {
            "statement": self.statement,
            "live_at": "2025-01-31T09:00:01.000Z",
            "copies": [{"name": "nas", "dead_at": None}],
            "copies_dead_at": None,
        }
        self.value = {
            "format": "trailkeep/certificate/v1",
            "origin": ORIGIN,
            "issued_at": "2025-01-31T09:00:02.000Z",
            "software": "make_certificate.py",
            "request": {
                "id": REQUEST,
                "receipt": RECEIPT,
                "type": kind,
                "regime": "gdpr",
                "received_on": "2025-01-30",
                "seq": self.request,
            }
            | told,
            "subject": {"commitment": subject_commitment(), "salt": b64(SALT)},
            "outcome": outcome,
            "events": self.numbers,
            "bundle": {"export_seq": self.export, "sha256": "ab" * 32} if self.export else None,
            "destroyed": gone if destroyed else None,
            "kept": rows,
            "openings_given": None,
            "note": NOTE,
            "entries": [self.prove(s) for s in (self.request, self.statement, self.answer) if s is not None],
        }

    def prove(self, seq):
        return {"proof": proof(self.led, seq, self.size), "says": says(self.led, seq)}


def save(folder, name, text, key, signature=None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_bytes(text)
    (folder / f"{name}.json.sig").write_bytes(key.sign(text) if signature is None else signature)


def encoded(value):
    return compact(value).encode() + b"\n"


def hostile(folder, partial, told):
    """Each is signed as it is, but where the signature is the point."""
    expected = {}
    key = partial.led.key

    def add(name, rule, change=None, text=None, signature=None, of=partial):
        value = copy.deepcopy(of.value)
        if change:
            value = change(value) or value
        save(folder, name, text or encoded(value), key, signature)
        expected[name] = rule

    def set_in(*path, to):
        def change(value):
            at = value
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = to

        return change

    good = encoded(partial.value)
    add("changed-byte", "signature", text=good.replace(b"hipaa", b"hippo"), signature=key.sign(good))
    add("other-key", "signature", signature=mb.Key(mb.random.Random(99)).sign(good))
    add("short-signature", "signature", signature=key.sign(good)[:63])
    add("signature-with-line-end", "signature", signature=key.sign(good) + b"\n")
    add("signature-damaged", "signature", signature=key.sign(good).replace(key.sign(good)[:1], b"\xef\xbf\xbd", 1))
    add("signature-empty", "signature", signature=b"")
    add("later-format", "form", text=good.replace(b"certificate/v1", b"certificate/v2"))
    add("spaced", "form", text=json.dumps(partial.value).encode())
    add("not-json", "form", text=good[:-3])
    add("member-twice", "form", text=good.replace(b'"note":', b'"outcome":"erased","note":'))
    add("member-twice-below", "form", text=good.replace(b'"held":', b'"held":0,"held":', 1))
    add("member-twice-by-escape", "form", text=good.replace(b'"note":', b'"n\\u006fte":"other","note":'))
    add("unknown-twice-below", "form", text=good.replace(b'"note":', b'"later":[{"a":1,"a":2}],"note":'))
    add("other-origin", "entry", set_in("origin", to="audit.example.com/other"))
    add("more-destroyed", "answer", set_in("events", to=partial.numbers | {"destroyed": 3, "kept": 0, "held": 3}))
    add("other-outcome", "answer", set_in("outcome", to="erased"))
    add("fewer-kept-rows", "numbers", set_in("kept", to=[]))
    add("other-request", "request", set_in("request", "id", to="ff" * 16))
    add("other-receipt", "request", set_in("request", "receipt", to="0000-0000-0000-0000"))
    add("other-day", "request", set_in("request", "received_on", to="2025-01-29"))
    add("other-seq", "request", set_in("request", "seq", to=partial.request + 1))
    add("other-commitment", "request", set_in("subject", "commitment", to=subject_commitment(subject=("", "x"))))
    add("other-manner", "request", set_in("request", "manner", to="letter"), of=told)
    add("no-manner", "request", lambda value: value["request"].pop("manner") and None, of=told)
    add("manner-of-no-entry", "request", set_in("request", "manner", to="email"))
    add("other-identity-kind", "request", set_in("request", "identity_kind", to="document"), of=told)
    add("other-ground", "answer", set_in("kept", 0, "ground", to="another ground"), of=told)
    add("no-kept", "answer", set_in("kept", to=[]), of=told)
    add("short-salt", "subject", set_in("subject", "salt", to=b64(bytes(31))))
    add("no-request", "request", lambda value: value["entries"].pop(0) and None)
    add("no-answer", "answer", lambda value: value["entries"].pop() and None)
    add("no-statement", "statement", lambda value: value["entries"].pop(1) and None)
    add("entries-turned", "entry", lambda value: value["entries"].reverse())
    add("entry-twice", "entry", lambda value: value["entries"].insert(1, value["entries"][0]))

    def other_text(value):
        section = value["entries"][2]["says"]["sections"]["answer"]
        section["json"] = section["json"].replace('"kept":1', '"kept":2')

    add("changed-text", "commitment", other_text)

    def other_line(value):
        value["entries"][0]["says"]["seq"] += 1

    add("line-of-another", "entry", other_line)

    def broken_path(value):
        lines = value["entries"][0]["proof"].split("\n")
        lines[3] = b64(bytes(32))
        value["entries"][0]["proof"] = "\n".join(lines)

    add("broken-path", "entry", broken_path)
    add("an-event", "entry", lambda value: value["entries"].insert(0, partial.prove(1)))

    # What an operator who owns the key might write: a statement that serves somebody else, or covers too little.
    other = Case("erasure", "partial", 3, destroyed=2, kept=1)
    covers = json.loads(other.led.texts[other.statement]["covers"])
    for name, more in {
        "statement-of-another": {"requests": [other.request - 1]},
        "statement-too-small": {"items": 1},
        "statement-by-trigger": {"cause": "trigger"},
    }.items():
        case = rewritten(covers | more)
        save(folder, name, encoded(case.value), case.led.key)
        expected[name] = "statement"
    for name, numbers, outcome in [
        ("numbers-do-not-add-up", {"held": 4, "disclosed": 0, "destroyed": 2, "kept": 1}, "partial"),
        ("outcome-does-not-fit", {"held": 3, "disclosed": 0, "destroyed": 2, "kept": 1}, "erased"),
    ]:
        case = rewritten(covers, numbers, outcome)
        save(folder, name, encoded(case.value), case.led.key)
        expected[name] = "numbers"
    return expected


def rewritten(covers, numbers=None, outcome="partial"):
    """A ledger whose statement and answer say this."""
    original = mb.Ledger.append

    def append(self, kind, cls, time, sections):
        if "covers" in sections:
            sections = sections | {"covers": covers}
        if "answer" in sections and numbers:
            sections = sections | {"answer": sections["answer"] | {"events": numbers, "outcome": outcome}}
        return original(self, kind, cls, time, sections)

    mb.Ledger.append = append
    case = Case("erasure", "partial", 3, destroyed=2, kept=1)
    mb.Ledger.append = original
    if numbers:
        case.value["events"], case.value["outcome"] = numbers, outcome
    return case


def main():
    out = Path(sys.argv[1])
    good = {
        "copy": Case("access", "disclosed", 5, disclosed=5),
        "nothing-held": Case("access", "nothing-held", 0),
        "erased": Case("erasure", "erased", 3, destroyed=3),
        "partial": Case("erasure", "partial", 3, destroyed=2, kept=1),
        "restricted": Case("erasure", "restricted", 2, kept=2),
        "held": Case("erasure", "held", 2, kept=2),
        "told": Case("erasure", "partial", 3, destroyed=2, kept=1, told=TOLD),
    }
    for name, case in good.items():
        save(out, name, encoded(case.value), case.led.key)
    (out / "public.pem").write_bytes(good["partial"].led.key.pem)
    expected = hostile(out / "hostile", good["partial"], good["told"])
    (out / "hostile" / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
