"""The outcome kernels beside R and lifelines, on the same data, in one run.

    cargo build --release -p farr-benches --bin outcomes
    python benches/outcomes.py target/release/outcomes [TASK ...]

Needs Rscript with survival, cmprsk, Matrix and glmnet, and lifelines in this
Python. Each task makes its data from a fixed seed, runs each side (the fastest
of a few runs), checks that the answers agree, and prints the ratio of times
beside the ratio asked for. Reading the data is not timed.
"""

import pathlib
import subprocess
import sys
import tempfile
import time as clock

import numpy

HERE = pathlib.Path(__file__).resolve().parent


def write(folder, name, values):
    numpy.ascontiguousarray(values).tofile(folder / name)


def make_survival(folder, random, rows):
    """Times to an event, nearly all different, half of them censored, in two groups; ten
    covariates, half of them 0/1."""
    group = random.integers(0, 2, rows).astype("<i4")
    flags = random.random((5, rows)) < random.uniform(0.1, 0.5, (5, 1))
    x = numpy.vstack([flags, random.normal(size=(5, rows))]).astype("<f8")
    x[0] = group
    hazard = numpy.exp(numpy.array([0.3, -0.2, 0.1, 0, 0.4, 0.2, -0.1, 0, 0.3, -0.3]) @ x) / 1500
    event_time = random.exponential(1 / hazard)
    censored_time = random.uniform(1, 3650, rows)
    # R takes times within 1e-8 of each other for equal ones: none are.
    write(folder, "time", numpy.minimum(event_time, censored_time).round(3).astype("<f8"))
    write(folder, "event", (event_time <= censored_time).astype("<i4"))
    write(folder, "group", group)
    write(folder, "covariates", x)


def make_competing(folder, random, rows):
    """Exact times of two causes and censoring; two covariates, since cmprsk's
    time grows with rows squared: with five it takes a quarter of an hour."""
    x = numpy.vstack([random.random(rows) < 0.4, random.normal(size=rows)]).astype("<f8")
    own = random.exponential(1 / (numpy.exp(numpy.array([0.5, 0.2]) @ x) / 10))
    other = random.exponential(1 / (numpy.exp(numpy.array([-0.2, 0.1]) @ x) / 15))
    censored = random.uniform(0, 20, rows)
    times = numpy.vstack([censored, own, other])
    write(folder, "competing_time", times.min(axis=0).astype("<f8"))
    write(folder, "cause", times.argmin(axis=0).astype("<i4"))
    write(folder, "competing_covariates", x)


def make_sparse(folder, random, rows, columns, density):
    """0/1 columns, each row has `density` of them; a hundred matter."""
    entries = random.poisson(rows * density, columns)
    chosen = [numpy.sort(random.choice(rows, size, replace=False)) for size in entries]
    eta = numpy.full(rows, -1.5)
    for column in random.choice(columns, 100, replace=False):
        eta[chosen[column]] += random.normal()
    outcome = random.random(rows) < 1 / (1 + numpy.exp(-eta))
    write(folder, "outcome", outcome.astype("<f8"))
    write(folder, "starts", numpy.concatenate([[0], numpy.cumsum(entries)]).astype("<i4"))
    write(folder, "rows", numpy.concatenate(chosen).astype("<i4"))


def seconds_of(command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=True)
    return float(done.stdout.split()[-1])


def answers(folder, task):
    return [numpy.fromfile(folder / f"{task}.{side}", "<f8") for side in ("farr", "r")]


def check_close(task, ours, theirs, relative):
    worst = numpy.max(numpy.abs(ours - theirs) / numpy.maximum(1e-3, numpy.abs(theirs)))
    if len(ours) != len(theirs) or not worst < relative:
        sys.exit(f"{task}: the answers differ by {worst:.1e} relative, allowed {relative:.0e}")
    return f"answers agree to {worst:.0e}"


def objectives(folder, numbers, points=50):
    """The penalised mean log likelihood of each point of a path, lowest is
    best, computed here from the coefficients."""
    outcome = numpy.fromfile(folder / "outcome", "<f8")
    starts = numpy.fromfile(folder / "starts", "<i4")
    rows = numpy.fromfile(folder / "rows", "<i4")
    share = numpy.diff(starts) / len(outcome)
    spread = numpy.sqrt(share * (1 - share))
    head, held = numpy.split(numbers, [2 * points])
    head, held = head.reshape(points, 2), held.reshape(-1, 3)
    found = []
    for place, (penalty, intercept) in enumerate(head):
        coefficients = numpy.zeros(len(starts) - 1)
        mine = held[held[:, 0] == place]
        coefficients[mine[:, 1].astype(int)] = mine[:, 2]
        spread_out = numpy.repeat(coefficients, numpy.diff(starts))
        eta = intercept + numpy.bincount(rows, spread_out, len(outcome))
        loss = numpy.mean(numpy.logaddexp(0, eta) - outcome * eta)
        found.append(loss + penalty * numpy.sum(numpy.abs(coefficients) * spread))
    return head[:, 0], numpy.array(found)


def check_path(folder):
    ours, theirs = answers(folder, "elastic_net")
    (our_penalties, our_objectives) = objectives(folder, ours)
    (their_penalties, their_objectives) = objectives(folder, theirs)
    worst = numpy.max(numpy.abs(our_penalties / their_penalties - 1))
    if worst > 1e-9:
        sys.exit(f"elastic_net: penalties differ by {worst:.1e}")
    gap = our_objectives / their_objectives - 1
    if numpy.max(numpy.abs(gap)) > 1e-7:
        sys.exit(f"elastic_net: objectives differ by {gap.min():.1e} to {gap.max():.1e}")
    return f"objectives differ by {gap.min():.0e} to {gap.max():.0e} (positive: glmnet's is better)"


def lifelines_cox(folder):
    import lifelines
    import pandas

    time = numpy.fromfile(folder / "time", "<f8")
    x = numpy.fromfile(folder / "covariates", "<f8").reshape(10, -1)
    frame = pandas.DataFrame({f"x{j}": x[j] for j in range(10)})
    frame["time"], frame["event"] = time, numpy.fromfile(folder / "event", "<i4")
    start = clock.monotonic()
    model = lifelines.CoxPHFitter().fit(frame, "time", "event")
    seconds = clock.monotonic() - start
    return seconds, model.params_.to_numpy()


TASKS = {
    # name: (how often ours, how often R's, times as fast as R)
    "curves": (5, 2, 10),
    "cox": (5, 2, 5),
    "fine_gray": (5, 1, 50),
    "elastic_net": (5, 3, 3),
}


def main():
    farr = pathlib.Path(sys.argv[1]).resolve()
    tasks = sys.argv[2:] or list(TASKS)
    random = numpy.random.default_rng(1839)
    print(f"{'task':<14}{'farr s':>9}{'peer s':>9}{'ratio':>8}{'asked':>7}  check")
    failed = []

    def line(task, ours, peer, asked, check):
        ratio = peer / ours
        print(f"{task:<14}{ours:>9.3f}{peer:>9.2f}{ratio:>8.1f}{asked:>7}  {check}", flush=True)
        if ratio < asked:
            failed.append(task)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_survival(folder, random, 1_000_000)
        make_competing(folder, random, 20_000)
        make_sparse(folder, random, 100_000, 20_000, 0.002)
        for task in tasks:
            mine, theirs, asked = TASKS[task]
            ours = seconds_of([farr, folder, task, mine])
            peer = seconds_of(["Rscript", HERE / "outcomes.R", folder, task, theirs])
            if task == "elastic_net":
                check = check_path(folder)
            else:
                relative = {"curves": 1e-9, "cox": 1e-6, "fine_gray": 1e-5}[task]
                check = check_close(task, *answers(folder, task), relative)
            line(task, ours, peer, asked, check)
            if task == "cox":
                peer, coefficients = lifelines_cox(folder)
                mine = answers(folder, task)[0][:10]
                check = check_close("lifelines", mine, coefficients, 1e-4)
                line("  lifelines", ours, peer, 50, check)
    if failed:
        sys.exit(f"below the ratio asked for: {', '.join(failed)}")


main()
