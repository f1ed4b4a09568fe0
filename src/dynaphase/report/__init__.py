"""The report of a campaign: one self-contained HTML file.

Importing this package loads neither matplotlib nor jinja2.

===================  ===========================================================
``evidence``         what a report shows, read from a campaign once
``answer``           which composition heads the report, and how sure that is
``formats``          numbers, formulae and intervals as HTML
``style``            look of the figures, and figure → SVG or PNG
``maps`` …           one figure a module: plain data in, matplotlib Figure out
``figures``          which figures a campaign gets, with their captions
``foundation``       what the run rests on: parameters, versions, citations
``page``             evidence + figures + template → HTML → file
===================  ===========================================================
"""

from __future__ import annotations

from dynaphase.report.page import write_report

__all__ = ["write_report"]
