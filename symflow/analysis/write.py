"""Writing an analysis down: report, record, figures and exported simulator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from symflow.analysis.analysis import Analysis
from symflow.analysis.figures import drawings
from symflow.analysis.html import html_report, unfinished_report
from symflow.analysis.record import (
    About,
    derivation_record,
    record,
    study_record,
    to_json,
)
from symflow.analysis.study import Study
from symflow.codegen import write_module
from symflow.errors import OutputError, expect
from symflow.files import as_path, write_text
from symflow.flow import GradientFlow


def write_report(
    analysis: Analysis, folder: str | Path, *, about: About | None = None
) -> list[Path]:
    """Write report.html, report.json, the figures, and the exported simulator.

    Parameters
    ----------
    analysis : Analysis
        What `analyze` found.
    folder : str or Path
        Directory to write into; it is made if it is not there.
    about : About, keyword-only, optional
        What the report says about the data and the command.

    Returns
    -------
    list of Path
        The files, the report first.  What Matplotlib cannot draw here is left out, and
        the report says so.

    Raises
    ------
    OutputError
        If the directory cannot be written into.

    Examples
    --------
    >>> import symflow as sf, tempfile
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
    >>> data = sf.Moments([[2, 1], [1, 2]], [[1, 0]], [[1]])
    >>> found = sf.analyze(flow, data, sf.gaussian_init(0.1, rng=0), budget=0)
    >>> [path.name for path in sf.write_report(found, tempfile.mkdtemp())][:3]
    ['report.html', 'report.json', 'gradient_flow_2_1_1.py']
    """
    expect(analysis, Analysis, "write_report(analysis)", "what analyze found")
    expect(about, About | None, "write_report(about=…)", "an About")
    target, source = prepare_folder(folder), about or About()
    pictures, without = drawings(analysis)
    page = html_report(analysis, source, pictures, without)
    numbers = to_json(record(analysis, source)) + "\n"
    written = [
        write_text(target / "report.html", page, "analyze: report.html"),
        write_text(target / "report.json", numbers, "analyze: report.json"),
        write_module(analysis.flow, target / module_name(analysis.flow)),
    ]
    return written + [path for picture in pictures for path in picture.save(target)]


def write_unfinished(
    flow: GradientFlow,
    folder: str | Path,
    *,
    about: About,
    studies: Sequence[Study],
    digits: int,
) -> list[Path]:
    """Write what is known so far: the page, report.json and the simulator.

    They say that they are not finished, until `write_report` replaces them.
    """
    target, page = Path(folder), unfinished_report(flow, about, studies, digits)
    content = {"finished": False, **derivation_record(flow)}
    content["studies"] = [study_record(study) for study in studies]
    numbers = to_json(content) + "\n"
    return [
        write_text(target / "report.html", page, "analyze: report.html"),
        write_module(flow, target / module_name(flow)),
        write_text(target / "report.json", numbers, "analyze: report.json"),
    ]


def module_name(flow: GradientFlow) -> str:
    """Return the name of the exported simulator: gradient_flow_10_5_1.py."""
    widths = "_".join(str(width) for width in flow.network.widths)
    return f"gradient_flow_{widths}.py"


def prepare_folder(folder: str | Path) -> Path:
    """Make a directory and check that files can be written into it."""
    target = as_path(folder, "write_report(analysis, folder)")
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=target):
            pass
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        msg = f"cannot write into the directory {str(folder)!r}: {reason}"
        raise OutputError(msg) from None
    return target
