"""This project's side of a comparison: runs a script beside this file, which prints a line of JSON for each answer."""

import json, os, subprocess, sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(script, *words, given=None):
    found = subprocess.run(["npx", "tsx", f"{root}/interop/{script}", *words], input=given, capture_output=True, text=True, cwd=root)
    if found.returncode != 0:
        sys.exit(found.stderr)
    return [json.loads(line) for line in found.stdout.splitlines()]
