#!/usr/bin/env python3
"""Which version a unit gets, by docs/format.md, "Prompts", alone.

    ab.py NAME SEQ VERSION:WEIGHT[,VERSION:WEIGHT...] < units > versions

SEQ is the number of the entry that began the experiment: that of `experiment` in the entry that moved the label, or of that entry
itself where it has none. The versions stand in the order of the entry. One unit a line; one version a line comes out.
"""
import hashlib
import struct
import sys


def bucket(name: str, seq: int, unit: str) -> int:
    name = name.encode()
    hashed = hashlib.sha256(
        b"trailkeep/ab/v1\n" + struct.pack(">H", len(name)) + name + struct.pack(">Q", seq) + unit.encode()
    )
    return int.from_bytes(hashed.digest()[:8], "big") % 10_000


def version(variants: list[tuple[int, int]], bucket: int) -> int:
    end = 0
    for number, weight in variants:
        end += weight
        if bucket < end:
            return number
    raise ValueError("the weights do not sum to 10,000")


def main() -> None:
    name, seq, variants = sys.argv[1:]
    variants = [tuple(map(int, variant.split(":"))) for variant in variants.split(",")]
    if sum(weight for _, weight in variants) != 10_000:
        sys.exit("the weights do not sum to 10,000")
    for line in sys.stdin:
        print(version(variants, bucket(name, int(seq), line.rstrip("\n"))))


if __name__ == "__main__":
    main()
