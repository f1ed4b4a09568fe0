"""The report of a campaign: one self-contained HTML file.

::

    campaign → evidence → answer, foundation                                              ┐
               evidence → atlas, accuracy, influence, plates                              ├ page → report.html
                            └ maps, line, pareto, parity, learning_curve, elements, gallery ┘

``evidence`` reads a campaign once; the modules of the last line take plain data and return a matplotlib figure each;
``style`` gives them one look and embeds them.  Importing this package loads neither matplotlib nor jinja2.
"""

from __future__ import annotations

from dynaphase.report.page import write_report

__all__ = ["write_report"]
