#!/usr/bin/env python3
"""make_bundle.py OUTDIR [--seed N]: make a Trailkeep ledger, good bundles of it, and hostile ones.

Needs the package `cryptography`. The same seed gives the same bytes.
"""

import argparse, base64, copy, csv, datetime, hashlib, hmac, io, json, random, struct, warnings, zipfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "audit.example.com/clinic"
SUMS = ("SHA256SUMS", "SHA256SUMS.sig")


def sha(data):
    return hashlib.sha256(data).digest()


def b64(data):
    return base64.b64encode(data).decode()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def millis(text):
    time = datetime.datetime.fromisoformat(text)
    return (
        time - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    ) // datetime.timedelta(milliseconds=1)


def rfc3339(ms):
    time = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(
        milliseconds=ms
    )
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# ---- RFC 6962, word for word -----------------------------------------------------------------


def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def tree_root(leaves):
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha(b"\1" + tree_root(leaves[:k]) + tree_root(leaves[k:]))


def tree_path(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return tree_path(m, leaves[:k]) + [tree_root(leaves[k:])]
    return tree_path(m - k, leaves[k:]) + [tree_root(leaves[:k])]


def tree_consistency(m, leaves, whole=True):
    if m == len(leaves):
        return [] if whole else [tree_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return tree_consistency(m, leaves[:k], whole) + [tree_root(leaves[k:])]
    return tree_consistency(m - k, leaves[k:], False) + [tree_root(leaves[:k])]


# ---- Keys and notes --------------------------------------------------------------------------


class Key:
    def __init__(self, rng):
        self.private = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        public = self.private.public_key()
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        self.public, self.pem = public.public_bytes(*raw), public.public_bytes(*pem)
        self.id = sha(ORIGIN.encode() + b"\n\x01" + self.public)[:4]
        self.vkey = f"{ORIGIN}+{self.id.hex()}+{b64(b'' + bytes([1]) + self.public)}"

    def sign(self, data):
        return self.private.sign(data)

    def signature_line(self, text):
        return f"— {ORIGIN} {b64(self.id + self.sign(text.encode()))}\n"


# ---- The ledger ------------------------------------------------------------------------------


class Ledger:
    def __init__(self, seed, fault=None):
        self.rng, self.fault = random.Random(seed), fault
        self.key = Key(self.rng)
        self.system_key = self.rng.randbytes(32)
        self.entries, self.leaves, self.texts, self.salts, self.kinds = [], [], [], [], []
        self.tree = {}  # leaves that the signed tree has in place of the chain's
        self.keys_txt = b""

    def commitment(self, sections, salt):
        text = b"trailkeep/commitment/v1\n" + struct.pack(">H", len(ORIGIN)) + ORIGIN.encode()
        text += struct.pack(">H", len(sections))
        for name in sorted(sections, key=lambda n: n.encode()):
            own = hmac.digest(salt, name.encode(), "sha256")
            text += struct.pack(">H", len(name)) + name.encode() + sha(own + sections[name])
        return sha(text)

    def append(self, kind, cls, time, sections):
        seq = len(self.entries)
        at = millis(time) if isinstance(time, str) else time
        assert not seq or at >= self.at(seq - 1) or self.fault == "time-goes-back", (seq, time)
        sections = {
            k: v if isinstance(v, bytes) else compact(v).encode() for k, v in sections.items()
        }
        salt = self.rng.randbytes(32)
        prev = self.leaves[-1] if seq else bytes(32)
        if self.fault == "chain-broken" and seq == 12:
            prev = sha(b"another entry")
        entry = (
            struct.pack(">BBHQQ", 1, kind, cls, seq, at) + prev + self.commitment(sections, salt)
        )
        assert len(entry) == 84
        self.entries.append(entry)
        self.leaves.append(sha(b"\0" + entry))
        self.texts.append(sections)
        self.salts.append(salt)
        self.kinds.append(kind)
        return seq

    def at(self, seq):
        return struct.unpack_from(">Q", self.entries[seq], 12)[0]

    def cls(self, seq):
        return struct.unpack_from(">H", self.entries[seq], 2)[0]

    def signed(self, size):
        """The leaves of the tree that the checkpoints sign."""
        return [self.tree.get(i, leaf) for i, leaf in enumerate(self.leaves[:size])]

    def checkpoint(self, size, leaves=None, key=None):
        text = f"{ORIGIN}\n{size}\n{b64(tree_root(leaves or self.signed(size)))}\n"
        return (text + "\n" + (key or self.key).signature_line(text)).encode()

    def items(self, seqs):
        """(section, openings by seq) of a statement over these seqs."""
        nonce, rows = self.rng.randbytes(16), sorted(seqs)
        salts = [
            hmac.digest(
                self.system_key, b"trailkeep/item/v1\n" + nonce + struct.pack(">Q", s), "sha256"
            )[:16]
            for s in rows
        ]
        leaves = [sha(b"\0" + salt + struct.pack(">Q", s)) for salt, s in zip(salts, rows)]
        opening = {
            s: {"salt": b64(salts[i]), "index": i, "path": [b64(p) for p in tree_path(i, leaves)]}
            for i, s in enumerate(rows)
        }
        return {"items": len(rows), "root": b64(tree_root(leaves))}, opening


def policy(name, text):
    return {"id": name, "version": "2025-01", "sha256": sha(text.encode()).hex(), "text": text}


def make_ledger(seed, fault=None):
    """About 45 entries from 2025-01 to 2026-06; `marks` names the seqs that the bundles need."""
    led = Ledger(seed, fault)
    rng, marks, openings = led.rng, {}, {}
    number = 0

    def event(time, cls, **more):
        nonlocal number
        number += 1
        who = rng.choice(["u-17", "u-23", "ü-42"])
        sections = {
            "action": rng.choice(["chat.completion", "record.read", "tool.call"]),
            "actor": {"id": who, "type": "user", "name": rng.choice(["Ada", "Zoë", "李"])},
            "context": {"ip": "192.0.2.7", "session": f"s{number}"},
            "id": f"ev-{number:04}",
            # The bytes are kept as they came: odd white space, escapes, numbers.
            "input": b'{ "text" :"caf\\u00e9 \xe2\x98\x95 %d", "n": 1.0e2 }' % number,
            "occurred_at": time,
            "output": {"text": f"answer {number}\u2028\U0001f600", "tokens": number},
            "received": {"via": "http", "added": []},
        }
        if number == 7:  # its text without the first eight bytes is JSON too
            sections["output"] = b'"I say:\\"approved"'
        if number % 3 == 0:
            sections["outcome"] = "success"
        if number % 4 == 0:
            sections["received"] = {"via": "http", "added": ["id"]}
        if number % 7 == 0:
            del sections["context"]
        if number % 5 == 0:
            sections["subjects"] = [{"id": "p-1", "namespace": "patient"}]
        return led.append(1, cls, time, sections | more)

    def system(time, action, **sections):
        return led.append(2, 0, time, {"action": f"trailkeep.{action}"} | sections)

    def class_of(num, loaded, minimum, after):
        short = [{k: p[k] for k in ("id", "version", "sha256")} for p in loaded]
        return {"number": num, "policies": short, "minimum": minimum, "after": after}

    default = policy("default-90d", 'id = "default-90d"\nafter = "P90D"\n')
    half, long = policy("half-year", 'id = "half-year"\n'), policy("long", 'id = "long"\n')
    ledger = {
        "format": "trailkeep/ledger/v1",
        "origin": ORIGIN,
        "id": rng.randbytes(16).hex(),
        "vkey": led.key.vkey,
    }
    led.append(0, 0, "2025-01-31T09:00:00.000Z", {"ledger": ledger})
    system("2025-01-31T09:00:00.250Z", "policy.load", policy=default)
    one = system(
        "2025-01-31T09:00:00.250Z",
        "class.define",
        **{"class": class_of(1, [default], "P0D", "P90D")},
    )
    for day in range(1, 5):
        event(f"2025-02-0{day}T10:00:00.{day}00Z", 1)
    system("2025-02-05T08:00:00.000Z", "policy.load", policy=half)
    two = system(
        "2025-02-05T08:00:00.001Z", "class.define", **{"class": class_of(2, [half], "P3M", "P6M")}
    )
    if fault == "second-genesis":
        led.append(0, 0, "2025-02-05T08:00:01.000Z", {"ledger": ledger})
    for day in range(6, 10):
        event(f"2025-02-0{day}T11:00:00.000Z", 1 + day % 2)
    marks["access"] = system(
        "2025-02-10T07:00:00.000Z", "access", access={"verb": "GET", "count": 3}
    )
    for day in range(10, 13):
        event(f"2025-02-{day}T12:30:00.000Z", 1 if day % 2 else 2)
    system("2025-03-01T00:00:00.000Z", "policy.load", policy=long)
    system(
        "2025-03-01T00:00:00.000Z",
        "class.define",
        **{"class": class_of(3, [half, long], "P6M", "P1Y3M")},
    )
    event("2025-03-02T00:00:00.000Z", 3)
    event("2025-03-02T00:00:00.000Z", 3)  # two in the same millisecond
    marks["old"] = 20
    for day in range(1, 7):
        event(f"2025-08-2{day}T23:59:59.999Z", 1 + day % 2)
    event("2025-08-31T00:00:00.000Z", 2)
    event("2025-09-01T00:00:00.000Z", 1)
    system("2025-09-02T00:00:00.000Z", "access", access={"verb": "POST", "count": 1})
    # A first export, before anything went.
    marks["export-1"] = system(
        "2025-09-02T01:00:00.000Z", "export", export={"proof": "range", "redacted": []}
    )

    days = {s: led.at(s) for s, kind in enumerate(led.kinds) if kind == 1}
    # Erasure at once, on request: two events that no expiry has taken.
    erased = [s for s in days if days[s] > millis("2025-08-20T00:00:00Z")][:2]
    restricted = [s for s in days if led.cls(s) == 3]
    future = []
    request = system(
        "2025-09-03T00:00:00.000Z", "privacy.request", request={"kind": "erasure", "receipt": "r-1"}
    )
    if fault == "cover-by-earlier-statement":
        future = [request + 2]
    covers, openings["covers"] = led.items(
        erased + future + [s for s in days if led.cls(s) == 2][:3]
    )
    restricts, openings["restricts"] = led.items(restricted)
    more = {"cause": "request", "requests": [request]}
    marks["covers"] = system(
        "2025-09-03T00:00:01.000Z", "erasure", covers=covers | more, restricts=restricts | more
    )
    marks["erased"], marks["restricted"], marks["future"] = erased, restricted, future
    event("2025-09-04T00:00:00.000Z", 1)
    event(
        "2025-09-03T12:00:00.000Z" if fault == "time-goes-back" else "2025-09-05T00:00:00.000Z", 2
    )

    # Class 1, P90D, on the very instant at which it is due.
    cut = "2025-08-25T00:00:00.000Z"
    due = millis("2025-11-23T00:00:00.000Z") - (1 if fault == "cover-too-early" else 0)
    after = "P30D" if fault == "cover-shorter-after" else "P90D"
    owner = two if fault == "cover-other-policy" else one
    marks["expiry-1"] = system(
        due,
        "expiry",
        expiry={"class": 1, "recorded_before_ms": millis(cut), "policy": owner, "after": after},
    )
    event("2025-12-01T00:00:00.000Z", 1)
    # Class 2, P6M: 31 August and six months are 28 February.
    marks["expiry-2"] = system(
        "2026-02-28T00:00:00.000Z",
        "expiry",
        expiry={
            "class": 2,
            "recorded_before_ms": millis("2025-08-31T00:00:00.000Z"),
            "policy": two,
            "after": "P6M",
        },
    )
    event("2026-03-01T00:00:00.000Z", 1)
    # A record's own clock: `covers` with the cause trigger, class 2 at 2025-08-31.
    triggered = [s for s in days if days[s] == millis("2025-08-31T00:00:00Z")]
    covers, openings["trigger"] = led.items(triggered)
    marks["trigger"] = system(
        "2026-03-02T00:00:00.000Z", "expiry", covers=covers | {"cause": "trigger", "requests": []}
    )
    marks["triggered"] = triggered
    event("2026-03-03T00:00:00.000Z", 3)
    system("2026-06-01T00:00:00.000Z", "access", access={"verb": "GET", "count": 1})
    export = {"proof": "range", "query": {"text": "not here"}}
    marks["export-2"] = system("2026-06-01T00:00:01.000Z", "export", export=export)
    marks["classes"] = {1: [default], 2: [half], 3: [half, long]}

    if fault == "leaf-differs-from-chain":  # the signed tree holds another entry than the chain
        bad = marks["erased"][0] + 3
        led.tree[bad] = sha(b"\0" + led.entries[bad][:52] + sha(b"another commitment"))
    return led, marks, openings


def dispositions_of(led, marks, openings, first, last, withheld=()):
    """What went, by which statement; and what this export withholds."""
    out = {}
    for s in range(first, last + 1):
        if led.kinds[s] != 1:
            continue
        before = lambda text: led.at(s) < millis(text)
        if led.cls(s) == 1 and before("2025-08-25T00:00:00.000Z"):
            out[s] = {"seq": s, "state": "expired", "by": marks["expiry-1"]}
        elif led.cls(s) == 2 and before("2025-08-31T00:00:00.000Z"):
            out[s] = {"seq": s, "state": "expired", "by": marks["expiry-2"]}
        elif s in marks["triggered"]:
            out[s] = {"seq": s, "state": "expired", "by": marks["trigger"]} | openings["trigger"][s]
        if s in marks["erased"] + marks["future"]:
            out[s] = {"seq": s, "state": "erased", "by": marks["covers"]} | openings["covers"][s]
        if s in marks["restricted"]:
            out[s] = {"seq": s, "state": "restricted", "by": marks["covers"]} | openings[
                "restricts"
            ][s]
        if s in withheld and s not in out:
            out[s] = {"seq": s, "state": "withheld", "reason": withheld[s]}
    return out


# ---- Bundles ---------------------------------------------------------------------------------


def lengths(led, seqs):
    return b"".join(b"\0\x54" + led.entries[s] for s in seqs)


def line(led, seq, redacted=()):
    sections = {}
    for name, text in led.texts[seq].items():
        salt = hmac.digest(led.salts[seq], name.encode(), "sha256")
        if name in redacted:
            sections[name] = {"digest": b64(sha(salt + text))}
        else:
            sections[name] = {"salt": b64(salt), "json": text.decode()}
    return compact({"seq": seq, "sections": sections}) + "\n"


def make(
    led,
    marks,
    *,
    first=None,
    last=None,
    selected=None,
    gone=(),
    redacted=(),
    export="export-2",
    recorded=(None, None),
    old=None,
    outside=None,
    size=None,
    key=None,
):
    """The members of a bundle, without SHA256SUMS."""
    key = key or led.key
    size = size or marks[export] + 1
    gone = dict(gone)
    proof = "range" if selected is None else "selection"
    seqs = list(range(first, last + 1)) if selected is None else sorted(selected)
    first, last = seqs[0], seqs[-1]
    events = [s for s in seqs if led.kinds[s] == 1 and s not in gone]
    inside = [s for s in seqs if led.kinds[s] != 1]
    if (
        outside is None
    ):  # what explains it: the genesis, all policies and classes, destructions, the export
        wanted = ("policy", "class", "expiry", "covers", "ledger")
        outside = [s for s in range(size) if s not in inside and set(wanted) & led.texts[s].keys()]
        if marks[export] not in inside:
            outside.append(marks[export])
    statements = sorted({*inside, *outside})
    boundary = [s for s in (first - 1, last + 1) if 0 <= s < size] if proof == "range" else []
    proven = {first, last, *boundary} if proof == "range" else set(seqs)
    proven |= set(statements) - set(inside)
    leaves = led.signed(size)
    proofs = {
        "inclusion": [
            {"seq": s, "path": [b64(p) for p in tree_path(s, leaves)]}
            for s in sorted(proven)
            if s < size
        ],
        "consistency": [
            {"from": m, "path": [b64(p) for p in tree_consistency(m, leaves)]} for m in [old] if old
        ],
    }
    used = sorted({led.cls(s) for s in seqs} - {0})
    short = lambda p: {k: p[k] for k in ("id", "version", "sha256")}
    states = [d["state"] for d in gone.values()]
    manifest = {
        "format": "trailkeep/bundle/v1",
        "origin": ORIGIN,
        "proof": proof,
        "range": {"first": first, "last": last},
        "recorded": {"from": recorded[0], "to": recorded[1]},
        "query": {},
        "counts": {
            "entries": len(seqs),
            "disclosed": len(events),
            "statements": len(statements),
            **{
                state: states.count(state)
                for state in ("expired", "erased", "restricted", "withheld")
            },
        },
        "redacted_sections": sorted(redacted),
        "classes": [
            {"number": n, "policies": [short(p) for p in marks["classes"][n]]} for n in used
        ],
        "exported_by": "key-4f1c",
        "exported_at": rfc3339(led.at(marks[export])),
        "export_seq": marks[export],
        "software": "make_bundle.py",
    }
    return {
        "README.txt": f"A bundle of {ORIGIN}.\nKey: SHA-256 {sha(key.public).hex()}\nCheck: verify_bundle.py\n".encode(),
        "manifest.json": compact(manifest).encode(),
        "entries.bin": lengths(led, seqs),
        "events.jsonl": "".join(line(led, s, redacted) for s in events).encode(),
        "statements.jsonl": "".join(line(led, s) for s in statements).encode(),
        "statements-entries.bin": lengths(led, statements),
        "dispositions.jsonl": "".join(compact(gone[s]) + "\n" for s in sorted(gone)).encode(),
        "boundary.bin": lengths(led, boundary),
        "proofs.json": compact(proofs).encode(),
        "checkpoint": led.checkpoint(size, key=key),
        "keys.txt": led.keys_txt,
        "public-key.pem": key.pem,
        "public-key.vkey": (key.vkey + "\n").encode(),
        "events.csv": b"",  # seal() fills it in
        "report.html": b"<!doctype html><title>Report</title><p>See the events.\n",
    }


COLUMNS = """seq recorded_at occurred_at id action outcome actor_id actor_type subjects conversation
    provider request_model response_model input_tokens output_tokens input output redacted""".split()


def table(members):
    """events.csv, as docs/format.md has it."""

    def text(value):
        if value is None:
            return ""
        return value if isinstance(value, str) else compact(value)

    def member(value, *path):
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return text(value)

    def excerpt(raw):
        whole = json.loads(raw) if raw.startswith('"') else raw
        return whole if len(whole) <= 500 else whole[:500] + "\u2026"

    raw = members["entries.bin"]
    entries = [raw[at + 2 : at + 86] for at in range(0, len(raw), 86)]
    times = {struct.unpack(">Q", e[4:12])[0]: struct.unpack(">Q", e[12:20])[0] for e in entries}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in members["events.jsonl"].decode().split("\n")[:-1]:
        event = json.loads(line)
        raw = {name: s["json"] for name, s in event["sections"].items() if "json" in s}
        shown = ("action", "actor", "context", "id", "llm", "occurred_at", "outcome", "subjects")
        value = {name: json.loads(one) for name, one in raw.items() if name in shown}
        actor, llm = value.get("actor"), value.get("llm")
        cells = [
            str(event["seq"]),
            rfc3339(times[event["seq"]]),
            *(text(value.get(name)) for name in ("occurred_at", "id", "action", "outcome")),
            member(actor, "id"),
            member(actor, "type"),
            "; ".join(member(one, "id") for one in value.get("subjects") or []),
            member(value.get("context"), "conversation"),
            *(member(llm, name) for name in ("provider", "request_model", "response_model")),
            *(member(llm, "usage", name) for name in ("input_tokens", "output_tokens")),
            excerpt(raw.get("input", "")),
            excerpt(raw.get("output", "")),
            " ".join(sorted(event["sections"].keys() - raw.keys(), key=str.encode)),
        ]
        starts = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
        writer.writerow(["'" + cell if cell.startswith(starts) else cell for cell in cells])
    return out.getvalue().encode()


def seal(members, key):
    """With SHA256SUMS and its signature."""
    members = {name: data for name, data in members.items() if name not in SUMS}
    if members.get("events.csv") == b"":
        try:
            members["events.csv"] = table(members)
        except (ValueError, KeyError, TypeError, IndexError, struct.error):
            pass  # a hostile bundle that has no table
    sums = "".join(f"{sha(members[name]).hex()}  {name}\n" for name in sorted(members)).encode()
    return members | {"SHA256SUMS": sums, "SHA256SUMS.sig": key.sign(sums)}


class Stream(io.BytesIO):
    """An output that cannot seek, so that each member gets a data descriptor."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation

    def tell(self):
        raise io.UnsupportedOperation


def zipped(members, stream=False, stored=(), twice=None, comment=b"", member_comment=b""):
    out = Stream() if stream else io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in [*members.items(), *(twice or [])]:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.comment = member_comment
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                z.writestr(info, data)
        z.comment = comment
    return out.getvalue()


# ---- Hostile bundles -------------------------------------------------------------------------


def on_json(members, name, change):
    value = json.loads(members[name])
    change(value)
    return members | {name: compact(value).encode()}


def on_line(members, name, seq, change):
    """Change one line of a member; None drops it."""
    out = []
    for text in members[name].decode().split("\n")[:-1]:
        value = json.loads(text)
        if value["seq"] == seq:
            if change is None:
                continue
            change(value)
        out.append(compact(value) + "\n")
    return members | {name: "".join(out).encode()}


def on_entry(members, name, seq, change):
    """Change one entry of a member; None drops it."""
    data, out = members[name], b""
    for start in range(0, len(data), 86):
        entry = bytearray(data[start + 2 : start + 86])
        if struct.unpack_from(">Q", entry, 4)[0] == seq:
            if change is None:
                continue
            change(entry)
        out += struct.pack(">H", len(entry)) + bytes(entry)
    return members | {name: out}


def on_count(members, **delta):
    def change(manifest):
        for name, by in delta.items():
            manifest["counts"][name] += by

    return on_json(members, "manifest.json", change)


def hostile(seed, folder):
    folder.mkdir(exist_ok=True)
    led, marks, openings = make_ledger(seed)
    key, reasons = led.key, {}
    gone = dispositions_of(led, marks, openings, 0, marks["export-2"], WITHHELD(led, marks))
    good = make(led, marks, first=0, last=marks["export-2"], gone=gone)
    full = make(led, marks, first=0, last=marks["export-1"], export="export-1")
    middle_args = MIDDLE(led, marks, openings)
    middle = make(led, marks, **middle_args)
    selection = make(led, marks, **SELECTION(led, marks, openings))
    f, l = middle_args["first"], middle_args["last"]
    event = 11  # an event of class 1 or 2 in the midst of `full`
    assert led.kinds[event] == 1

    def write(name, members, reason, sign=key, **more):
        sealed = seal(members, sign) if sign else members
        (folder / name).write_bytes(zipped(sealed, **more))
        reasons[name] = reason

    def section(seq, name, change, of=full, member="events.jsonl"):
        return on_line(of, member, seq, lambda row: change(row["sections"], name))

    # Sections.
    def both(s, n):
        s[n]["digest"] = b64(sha(base64.b64decode(s[n]["salt"]) + s[n]["json"].encode()))

    def set_salt(s, n, salt):
        s[n]["salt"] = salt

    def odd(s, n):  # the last character before the `=` holds two spare bits: 44 = 43 and one `=`
        text = s[n]["salt"]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        s[n]["salt"] = text[:42] + alphabet[alphabet.index(text[42]) | 1] + "="

    write(
        "section-digest-and-json.zip",
        section(event, "input", both),
        "a section with salt, json and digest",
    )
    write(
        "salt-40-bytes.zip",
        section(event, "input", lambda s, n: set_salt(s, n, b64(bytes(40)))),
        "salt of 40 bytes",
    )

    # The boundary between salt and text moved: the hashed bytes are the same.
    def shifted(s, n):
        raw = base64.b64decode(s[n]["salt"]) + s[n]["json"].encode()
        s[n] = {"salt": b64(raw[:40]), "json": raw[40:].decode()}

    write(
        "salt-shifted-40-bytes.zip",
        section(event, "output", shifted),
        "8 bytes of the text moved into the salt: same digest, salt of 40 bytes",
    )
    write(
        "non-canonical-base64.zip",
        section(event, "input", odd),
        "spare bits of a salt's base64 are not zero",
    )
    write(
        "changed-section.zip",
        section(event, "input", lambda s, n: s[n].update(json='{"text":"else"}')),
        "the text does not fit the commitment",
    )
    write(
        "missing-section.zip",
        section(event, "input", lambda s, n: s.pop(n)),
        "a section left out without its digest",
    )
    write(
        "redacted-action.zip",
        on_json(
            section(
                event,
                "action",
                lambda s, n: s.update(json.loads(line(led, event, ["action"]))["sections"]),
            ),
            "manifest.json",
            lambda m: m.update(redacted_sections=["action"]),
        ),
        "an event without a disclosed action is withheld, yet has a line",
    )

    # Entries, chain, tree.
    def flip(at):
        def change(entry):
            entry[at] ^= 1

        return change

    write(
        "changed-entry.zip",
        on_entry(full, "entries.bin", event, flip(60)),
        "an entry's commitment altered",
    )
    write(
        "changed-time.zip",
        on_entry(full, "entries.bin", event, flip(19)),
        "an entry's recorded_at altered by a millisecond",
    )
    write(
        "changed-last-entry.zip",
        on_entry(full, "entries.bin", marks["export-1"], flip(19)),
        "the last entry's recorded_at altered: only the tree shows it",
    )
    led2, marks2, openings2 = make_ledger(seed, "leaf-differs-from-chain")
    gone2 = dispositions_of(led2, marks2, openings2, 0, marks2["export-2"], WITHHELD(led2, marks2))
    write(
        "leaf-differs-from-chain.zip",
        make(led2, marks2, first=0, last=marks2["export-2"], gone=gone2),
        "the signed tree has another leaf than the chain; first and last are included, the chain is whole",
        led2.key,
    )
    led2, marks2, openings2 = make_ledger(seed, "second-genesis")
    write(
        "second-genesis.zip",
        make(led2, marks2, first=0, last=marks2["export-1"], export="export-1"),
        "an entry of kind 0 at a seq other than 0",
        led2.key,
    )
    assert led2.key.public == key.public

    # Holes.
    dropped = on_line(on_entry(full, "entries.bin", event, None), "events.jsonl", event, None)
    write(
        "dropped-event.zip",
        on_count(dropped, entries=-1, disclosed=-1),
        "a seq of the range is not there",
    )
    no_line = on_line(full, "events.jsonl", event, None)
    write(
        "dropped-event-line.zip",
        on_count(no_line, disclosed=-1),
        "an event neither disclosed nor explained; counts lowered",
    )
    write(
        "event-in-range-without-line.zip",
        on_count(no_line, disclosed=-1, withheld=1),
        "an event counted as withheld has no disposition",
    )
    drop = marks["access"]
    without = on_entry(
        on_line(full, "statements.jsonl", drop, None), "statements-entries.bin", drop, None
    )
    write(
        "withheld-statement.zip",
        on_count(without, statements=-1),
        "a system event of the range is not among the statements",
    )
    extra = full | {
        "dispositions.jsonl": (
            compact({"seq": event, "state": "withheld", "reason": "filtered"}) + "\n"
        ).encode()
    }
    write(
        "disposition-for-disclosed.zip",
        on_count(extra, withheld=1),
        "an event both disclosed and withheld",
    )
    system = [s for s in range(len(led.kinds)) if led.kinds[s] == 2][3]
    both_ways = full | {
        "dispositions.jsonl": (
            compact({"seq": system, "state": "withheld", "reason": "filtered"}) + "\n"
        ).encode()
    }
    write(
        "disposition-for-statement.zip",
        on_count(both_ways, withheld=1),
        "a system event has a disposition",
    )
    listed = [{"name": "bot", "events": 3, "last_number": 3, "restarts": 0, "repeats": 0, "missing": 0, "may_have_gone": 0, "gaps": []}]
    write(
        "wrong-sources.zip",
        on_json(full, "manifest.json", lambda manifest: manifest.update(sources=listed)),
        "the manifest lists a source that no event names (the page of Python does not look)",
    )
    write("wrong-counts.zip", on_count(full, disclosed=1), "counts.disclosed is one too many")
    write(
        "selection-event-left-out.zip",
        on_line(
            selection,
            "events.jsonl",
            json.loads(selection["events.jsonl"].split(b"\n")[0])["seq"],
            None,
        ),
        "an entry of a selection without its line",
    )
    sel_seqs = SELECTION(led, marks, openings)["selected"]
    write(
        "selection-no-inclusion.zip",
        on_json(
            selection,
            "proofs.json",
            lambda p: p.update(inclusion=[r for r in p["inclusion"] if r["seq"] != sel_seqs[0]]),
        ),
        "a selected entry without an inclusion proof",
    )

    # Cover.
    expired1 = next(s for s in gone if gone[s]["state"] == "expired" and led.cls(s) == 1)
    expired2 = next(s for s in gone if gone[s]["state"] == "expired" and led.cls(s) == 2)
    erased = marks["erased"][0]
    late = next(
        s
        for s in range(len(led.kinds))
        if led.cls(s) == 1 and led.at(s) >= millis("2025-08-25T00:00:00Z") and s not in gone
    )

    def cover(name, seq, reason, change, of=good):
        write(name, on_line(of, "dispositions.jsonl", seq, change), reason)

    cover(
        "cover-other-class.zip",
        expired2,
        "a class 2 event by class 1's expiry",
        lambda d: d.update(by=marks["expiry-1"]),
    )
    cover(
        "cover-item-wrong-salt.zip",
        erased,
        "another item salt",
        lambda d: d.update(salt=b64(bytes(16))),
    )
    cover(
        "cover-item-wrong-index.zip",
        erased,
        "another index",
        lambda d: d.update(index=d["index"] + 1),
    )
    cover(
        "cover-no-statement.zip",
        expired1,
        "by a seq that is no statement",
        lambda d: d.update(by=event + 1 if led.kinds[event + 1] == 1 else event),
    )
    cover(
        "cover-restricts-as-covers.zip",
        marks["restricted"][0],
        "a restriction shown as an erasure",
        lambda d: d.update(state="erased"),
    )
    moved = on_count(
        on_line(good, "dispositions.jsonl", erased, lambda d: d.update(state="expired")),
        erased=-1,
        expired=1,
    )
    write("cover-other-cause.zip", moved, "erased on request, shown as expired")
    write(
        "cover-unknown-reason.zip",
        on_line(
            good,
            "dispositions.jsonl",
            next(s for s in gone if gone[s]["state"] == "withheld"),
            lambda d: d.update(reason="secret"),
        ),
        "an unknown reason for withholding",
    )
    later = on_line(good, "events.jsonl", late, None)
    rows = dict(gone) | {late: {"seq": late, "state": "expired", "by": marks["expiry-1"]}}
    later["dispositions.jsonl"] = "".join(compact(rows[s]) + "\n" for s in sorted(rows)).encode()
    write(
        "cover-recorded-too-late.zip",
        on_count(later, disclosed=-1, expired=1),
        "an event that was recorded after the expiry's cut",
    )

    for name, reason in (
        ("cover-too-early", "destroyed one millisecond before T plus after"),
        ("cover-shorter-after", "the expiry's `after` is not the class's"),
        ("cover-other-policy", "the expiry names another class's statement"),
        ("cover-by-earlier-statement", "covered by a statement with a lower seq"),
        ("chain-broken", "an entry's prev is another leaf; the tree is whole"),
        ("time-goes-back", "recorded_at is less than the entry's before"),
    ):
        led2, marks2, openings2 = make_ledger(seed, name)
        gone2 = dispositions_of(
            led2, marks2, openings2, 0, marks2["export-2"], WITHHELD(led2, marks2)
        )
        write(
            f"{name}.zip",
            make(led2, marks2, first=0, last=marks2["export-2"], gone=gone2),
            reason,
            led2.key,
        )

    # The statement came after the checkpoint; its path is one of the later, larger tree.
    m, x = marks["expiry-1"], marks["export-1"]
    one = {expired1: gone[expired1]}
    base = {s for s in range(x + 1) if {"policy", "class", "ledger"} & led.texts[s].keys()} | {x, m}
    beyond = make(led, marks, first=0, last=x, gone=one, export="export-1", outside=[m])
    path = [b64(p) for p in tree_path(m, led.leaves[: marks["export-2"] + 1])]
    beyond = on_json(
        beyond, "proofs.json", lambda p: p["inclusion"].append({"seq": m, "path": path})
    )
    write(
        "cover-not-in-checkpoint.zip", beyond, "covered by a statement beyond the checkpoint's size"
    )

    # Boundary and window.
    write(
        "boundary-left-out.zip",
        on_json(
            on_entry(middle, "boundary.bin", l + 1, None),
            "proofs.json",
            lambda p: p.update(inclusion=[r for r in p["inclusion"] if r["seq"] != l + 1]),
        ),
        "the entry after the range is not there",
    )
    inner = {"first": f + 1, "gone": {s: d for s, d in middle_args["gone"].items() if s > f}}
    write(
        "boundary-inside-window.zip",
        make(led, marks, **(middle_args | inner)),
        "the entry before the range belongs to the period",
    )
    inner = {"last": l - 1, "gone": {s: d for s, d in middle_args["gone"].items() if s < l}}
    write(
        "boundary-after-inside-window.zip",
        make(led, marks, **(middle_args | inner)),
        "the entry after the range belongs to the period",
    )
    write(
        "boundary-not-included.zip",
        on_entry(middle, "boundary.bin", f - 1, flip(60)),
        "the entry before the range is not in the tree",
    )

    # Classes.
    write(
        "class-not-defined.zip",
        make(led, marks, **(SELECTION(led, marks, openings) | {"outside": [marks["export-2"]]})),
        "no statement defines the classes",
    )
    write(
        "class-other-policies.zip",
        on_json(
            full, "manifest.json", lambda m: m["classes"][0]["policies"][0].update(version="9")
        ),
        "the manifest gives a class other policies than its statement",
    )

    # Sums, keys, the checkpoint.
    write(
        "wrong-sum.zip",
        seal(full, key) | {"report.html": b"<p>Another report.\n"},
        "a member was changed after the sums",
        None,
    )
    other = Key(random.Random(seed + 1))
    write(
        "other-key.zip",
        make(led, marks, first=0, last=x, export="export-1", key=other),
        "all signed with another key",
        other,
    )
    write("other-sums-key.zip", full, "the sums are signed with another key", other)
    write(
        "other-checkpoint-key.zip",
        full | {"checkpoint": led.checkpoint(x + 1, key=other)},
        "the checkpoint is signed with another key",
    )
    write(
        "checkpoint-extension.zip",
        full | {"checkpoint": extended(led, x + 1)},
        "a checkpoint with an extension line",
    )
    write(
        "other-origin.zip",
        on_json(full, "manifest.json", lambda m: m.update(origin="audit.example.com/other")),
        "the manifest's origin is not the checkpoint's",
    )
    write(
        "unsigned-sums.zip",
        seal(full, key) | {"SHA256SUMS.sig": bytes(64)},
        "no signature: zeros",
        None,
    )

    # The ZIP file.
    sealed = seal(full, key)
    write(
        "unknown-member.zip",
        full | {"extra.txt": b"hello\n"},
        "a member that the format does not have",
    )
    write(
        "missing-member.zip",
        {n: d for n, d in full.items() if n != "events.csv"},
        "events.csv is not there",
    )
    write(
        "duplicate-member.zip",
        sealed,
        "report.html twice",
        None,
        twice=[("report.html", b"<p>another\n")],
    )
    write("archive-comment.zip", full, "a comment at the end", comment=b"hi")
    write("member-comment.zip", full, "a comment in the central directory", member_comment=b"hi")
    raw = zipped(sealed)
    local = b"PK\3\4"
    at = raw.index(b"report.html")
    second = raw.index(local, 4)
    for name, data, reason in (
        (
            "member-before-archive.zip",
            zipped({"x": b"y"})[: zipped({"x": b"y"}).index(b"PK\1\2")] + raw,
            "a local record before the archive",
        ),
        ("trailing-bytes.zip", raw + b"\0" * 7, "bytes after the end record"),
        (
            "changed-local-header.zip",
            raw[:at] + b"rep0rt.html" + raw[at + 11 :],
            "a local header's name differs from the directory's",
        ),
        (
            "changed-local-size.zip",
            raw[:22] + struct.pack("<I", struct.unpack_from("<I", raw, 22)[0] + 1) + raw[26:],
            "a local header's size differs from the directory's (verify_bundle.py does not look)",
        ),
        (
            "gap-between-members.zip",
            gap(raw, second, local + bytes(26)),
            "bytes between two local records",
        ),
    ):
        (folder / name).write_bytes(data)
        reasons[name] = reason
    (folder / "expected.json").write_text(
        json.dumps(dict(sorted(reasons.items())), indent=1) + "\n"
    )


def extended(led, size):
    text = f"{ORIGIN}\n{size}\n{b64(tree_root(led.signed(size)))}\nextension\n"
    return (text + "\n" + led.key.signature_line(text)).encode()


def gap(raw, at, extra):
    """The archive with bytes put between two local records, all offsets mended."""
    end = len(raw) - 22
    count, size, start = struct.unpack_from("<HII", raw, end + 10)
    directory, pos = bytearray(raw[start : start + size]), 0
    while pos < len(directory):
        n, m, k = struct.unpack_from("<HHH", directory, pos + 28)
        offset = struct.unpack_from("<I", directory, pos + 42)[0]
        if offset >= at:
            struct.pack_into("<I", directory, pos + 42, offset + len(extra))
        pos += 46 + n + m + k
    tail = raw[end : end + 16] + struct.pack("<I", start + len(extra)) + b"\0\0"
    return raw[:at] + extra + raw[at:start] + bytes(directory) + tail


# ---- What is made ----------------------------------------------------------------------------


def WITHHELD(led, marks):
    seqs = [s for s in range(marks["covers"], len(led.kinds)) if led.kinds[s] == 1]
    return dict(zip(seqs[-4:], ("filtered", "third-party", "privilege", "law-enforcement")))


def MIDDLE(led, marks, openings):
    """2025-02-07 to 2025-02-12 exclusive, with an entry outside at both ends."""
    window = "2025-02-07T00:00:00Z", "2025-02-12T12:30:00.000Z"
    seqs = [s for s in range(len(led.kinds)) if millis(window[0]) <= led.at(s) < millis(window[1])]
    gone = dispositions_of(led, marks, openings, seqs[0], seqs[-1])
    return {
        "first": seqs[0],
        "last": seqs[-1],
        "recorded": window,
        "gone": gone,
        "old": marks["old"],
    }


def SELECTION(led, marks, openings):
    gone = dispositions_of(led, marks, openings, 0, marks["export-2"])
    seqs = [s for s in range(marks["export-2"]) if led.kinds[s] == 1 and s not in gone]
    return {"selected": seqs[::2], "old": marks["old"]}


def key_change(seed, out):
    """A ledger whose key changed: verifies with the old key and with the new one."""
    led, marks, openings = make_ledger(seed)
    old, new, size = led.key, Key(random.Random(seed + 2)), len(led.entries)
    text = f"trailkeep/key/v1\n{ORIGIN}\n{old.vkey}\n{new.vkey}\n{size}\n{b64(tree_root(led.leaves))}\n"
    note = text + "\n" + old.signature_line(text) + new.signature_line(text)
    led.keys_txt = note.encode()
    led.append(2, 0, "2026-06-02T00:00:00.000Z", {"action": "trailkeep.key.change", "key": note})
    marks["export-3"] = led.append(
        2, 0, "2026-06-02T00:00:01.000Z", {"action": "trailkeep.export", "export": {}}
    )
    led.key = new
    gone = dispositions_of(led, marks, openings, 0, marks["export-3"])
    members = make(led, marks, first=0, last=marks["export-3"], gone=gone, export="export-3")
    (out / "key-change.zip").write_bytes(zipped(seal(members, new)))
    (out / "key-change-public.pem").write_bytes(new.pem)
    bad = members | {"keys.txt": (text + "\n" + new.signature_line(text)).encode()}
    (out / "hostile" / "key-change-by-new-key-alone.zip").write_bytes(zipped(seal(bad, new)))
    bad = members | {"keys.txt": b""}
    (out / "hostile" / "key-change-without-note.zip").write_bytes(zipped(seal(bad, new)))
    expected = out / "hostile" / "expected.json"
    reasons = json.loads(expected.read_text())
    reasons["key-change-by-new-key-alone.zip"] = "the old key did not sign the key change"
    reasons["key-change-without-note.zip"] = "another key than the given one, and no key change"
    expected.write_text(json.dumps(dict(sorted(reasons.items())), indent=1) + "\n")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("outdir", type=Path)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    out = args.outdir
    out.mkdir(parents=True, exist_ok=True)
    led, marks, openings = make_ledger(args.seed)
    last, size = marks["export-2"], marks["old"]
    gone = dispositions_of(led, marks, openings, 0, last, WITHHELD(led, marks))
    bundles = {
        "range.zip": make(led, marks, first=0, last=last, gone=gone),
        "range-middle.zip": make(led, marks, **MIDDLE(led, marks, openings)),
        "selection.zip": make(led, marks, **SELECTION(led, marks, openings)),
        "redacted.zip": make(
            led,
            marks,
            first=0,
            last=marks["export-1"],
            export="export-1",
            redacted=["input", "output"],
        ),
        "full.zip": make(led, marks, first=0, last=marks["export-1"], export="export-1"),
    }
    for name, members in bundles.items():
        stream = name in ("range-middle.zip", "selection.zip")
        stored = ["entries.bin", "SHA256SUMS.sig"] if name == "range.zip" else []
        (out / name).write_bytes(zipped(seal(members, led.key), stream, stored))
    (out / "public.pem").write_bytes(led.key.pem)
    (out / "old-checkpoint.txt").write_bytes(led.checkpoint(size))
    forked = led.leaves[: size - 1] + [sha(b"another entry")]
    (out / "forked-checkpoint.txt").write_bytes(led.checkpoint(size, leaves=forked))
    hostile(args.seed, out / "hostile")
    key_change(args.seed, out)


if __name__ == "__main__":
    main()
