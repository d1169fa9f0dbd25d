"""judge_many.py VERIFY_BUNDLE: run the page's script over many bundles in one process.

Each line of standard input is the JSON of one command line; each answer a line of JSON: what the script said, and how
it ended.
"""

import contextlib, functools, importlib.util, io, json, sys

spec = importlib.util.spec_from_file_location("verify_bundle", sys.argv[1])
page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(page)
page.check_signature = functools.cache(page.check_signature)  # keeps only what verified

for line in sys.stdin:
    page.findings, said, code = 0, io.StringIO(), 0
    sys.argv = ["verify_bundle.py", *json.loads(line)]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        try:
            page.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    verdict = said.getvalue().rstrip("\n").rpartition("\n")[2]
    complete = code == 0 and json.loads(verdict)["complete"]
    print(json.dumps({"code": code, "complete": complete, "said": said.getvalue()}), flush=True)
