"""The Python side of a race, as contestant.ts is the TypeScript side: one line of JSON an order, one an answer.

An order to prepare a training step brings the weights and the batches, so that nothing of works.ts is written
twice. Next: pytorch.py and jaxCpu.py, which say what a step is.
"""

import base64, json, resource, sys, time

import numpy as np


def array(given, dtype):
    return np.frombuffer(base64.b64decode(given["base64"]), dtype).reshape(given["shape"])


class Given:
    """A training step's weights by name (float32, matrices [out, in]), its batches of (x, y), [B, T] each, and settings."""

    def __init__(self, order):
        self.shape = order["prepare"]["gpt"]
        self.weights = {name: array(weight, np.float32) for name, weight in order["weights"].items()}
        self.batches = [(array(x, np.int32), array(y, np.int32)) for x, y in order["batches"]]
        self.adamW, self.eps, self.compared = order["adamW"], order["layerNormEps"], order["comparedSteps"]


def seconds_of(step, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    return time.perf_counter() - start


def sample(step, repeats, milliseconds):
    """Timings for so many milliseconds, one at least; `repeats` steps make one timing."""
    preempted = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    before, start, seconds = preempted(), time.perf_counter(), []
    while not seconds or time.perf_counter() < start + milliseconds / 1e3:
        seconds.append(seconds_of(step, repeats) / repeats)
    wall = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "preemptions": (preempted() - before) / wall, "peakBytes": peak}


def serve(name, version, about, prepare):
    """Answers one order after another; `prepare` makes a step that returns its loss."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    say = lambda answer: print(json.dumps(answer), file=answers, flush=True)
    say({"hello": {"name": name, "version": version, "about": about}})
    step, repeats = None, 0
    for line in sys.stdin:
        order = json.loads(line)
        if "prepare" in order:
            given = Given(order)
            step, repeats = prepare(given), 0
            say({"result": [float(step()) for _ in range(given.compared)]})
            continue
        if repeats == 0:
            repeats = 1
            while seconds_of(step, repeats) < 1e-3:
                repeats *= 2
        say(sample(step, repeats, order["sample"]["milliseconds"]))
