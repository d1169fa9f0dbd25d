# The commands that people need; `just` lists them.

_list:
    @just --list

# Write, verify, export, tamper and erase once, on made-up events
demo:
    cargo run --release -- demo

# All tests, or those whose names hold a word: `just test erasure::t12`
test name="":
    cargo test --workspace {{ name }}

# What a submission must pass: format, lints, licences, all tests
check:
    .ci/run

# Both programs as they ship, in target/dist/
dist:
    cargo build --profile dist --locked --bins

# Write schema/openapi.json anew after a route has changed
openapi:
    TRAILKEEP_UPDATE=1 cargo test --test api openapi
