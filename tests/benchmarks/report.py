"""Everything that is measured, one table after the other.

    python tests/benchmarks/report.py [--quick]

The first is the table of the README.  The whole ends in 20 minutes of an idle core, the
quick form in 3: a table that takes longer than its share is cut off and says so.  CPU
seconds and ratios from one run count; what is missing on this machine is left out.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

FOLDER = Path(__file__).parent

#: File, arguments of the whole and of the quick form, and the seconds of both.
PARTS = (
    ("headline.py", (), ("--quick", "--limit", "4"), 360, 40),
    ("kernels.py", (), (), 40, 30),
    ("verbs.py", (), ("--quick",), 70, 25),
    ("growth.py", ("--limit", "30"), ("--quick", "--limit", "10"), 240, 40),
    ("solutions.py", (), ("--quick",), 50, 10),
    ("simulators.py", ("--limit", "15"), ("--tables", "descent", "--quick"), 240, 15),
    (
        "precision.py",
        ("--timeout", "15"),
        ("--quick", "--timeout", "4", "--limits"),
        200,
        20,
    ),
)


def main() -> int:
    """Run the parts in order, and return how many were cut off or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="in three minutes")
    quick = parser.parse_args().quick
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    bad, began = 0, monotonic()
    for file, whole, short, seconds, few in PARTS:
        options, share = (short, few) if quick else (whole, seconds)
        print(f"\n# {file} {' '.join(options)}", flush=True)
        process = subprocess.Popen(
            [sys.executable, str(FOLDER / file), *options],
            env=os.environ | alone,
            start_new_session=True,
        )
        try:
            bad += process.wait(timeout=share) != 0
        except subprocess.TimeoutExpired:
            bad += 1
            os.killpg(process.pid, signal.SIGKILL)  # with what it started
            process.wait()
            print(f"  cut off after {share} s", flush=True)
    print(f"\n{monotonic() - began:.0f} s in all; {bad} tables cut off or failed")
    return bad


if __name__ == "__main__":
    raise SystemExit(main())
