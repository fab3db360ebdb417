"""The command line: analyze, derive, conserved, solve, simulate and more.

Results go to standard output and progress to standard error.  The exit code is 0, 1
where a validation fails, 2 for bad input (one line says what), 130 after Ctrl-C.
"""

from symflow.cli.main import main as main
