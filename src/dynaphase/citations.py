"""What a run rests on, as citations: the libraries it used, the methods, the data, the sources of its parameters.

Bibliographic facts are listed only where they are certain.  A source that a parameter names by its DOI alone is cited
by that DOI alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "COMMON_METHODS",
    "DATA",
    "LIBRARIES",
    "METHODS",
    "METHODS_OF",
    "Citation",
    "bibtex",
    "citations",
    "dois_in",
]

Kind = Literal["article", "inproceedings", "book", "misc"]


@dataclass(frozen=True, slots=True)
class Citation:
    """One publication and what it is cited for."""

    key: str
    """Key of the BibTeX entry."""
    purpose: str
    """What rests on it."""
    doi: str
    kind: Kind = "misc"
    authors: tuple[str, ...] = ()
    """``Family, Given`` each; a last entry ``others`` stands for et al."""
    title: str = ""
    container: str = ""
    """Journal, proceedings, publisher or repository."""
    year: int | None = None
    volume: str = ""
    pages: str = ""

    @property
    def url(self) -> str:
        """Resolver address of the DOI."""
        return f"https://doi.org/{self.doi}"

    def __str__(self) -> str:
        issue = " ".join(part for part in (self.container, self.volume) if part)
        place = ", ".join(part for part in (issue, self.pages) if part) + (f" ({self.year})" if self.year else "")
        parts = (_short_names(self.authors), self.title, place.strip())
        return ". ".join(part.rstrip(".") for part in parts if part) or f"doi:{self.doi}"

    def to_bibtex(self) -> str:
        """The BibTeX entry."""
        venue = {
            "article": "journal",
            "inproceedings": "booktitle",
            "book": "publisher",
            "misc": "howpublished",
        }
        fields = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}" if self.title else "",
            venue[self.kind]: self.container.replace("&", r"\&"),
            "year": str(self.year or ""),
            "volume": self.volume,
            "pages": self.pages.replace("–", "--"),
            "doi": self.doi,
            "note": f"Cited for: {self.purpose}",
        }
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        return f"@{self.kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"


LIBRARIES: Final = {
    "numpy": Citation(
        "numpy", "arrays", "10.1038/s41586-020-2649-2", "article",
        ("Harris, Charles R.", "Millman, K. Jarrod", "van der Walt, Stéfan J.", "others"),
        "Array programming with NumPy", "Nature", 2020, "585", "357–362",
    ),
    "scipy": Citation(
        "scipy", "linear programmes, sparse solvers, statistics", "10.1038/s41592-019-0686-2", "article",
        ("Virtanen, Pauli", "Gommers, Ralf", "Oliphant, Travis E.", "others"),
        "SciPy 1.0: fundamental algorithms for scientific computing in Python", "Nature Methods", 2020, "17", "261–272",
    ),
    "numba": Citation(
        "numba", "compiled phase-field loops", "10.1145/2833157.2833162", "inproceedings",
        ("Lam, Siu Kwan", "Pitrou, Antoine", "Seibert, Stanley"),
        "Numba: a LLVM-based Python JIT compiler",
        "Proceedings of the Second Workshop on the LLVM Compiler Infrastructure in HPC", 2015,
    ),
    "torch": Citation(
        "pytorch", "tensors behind the Gaussian processes", "10.48550/arXiv.1912.01703", "inproceedings",
        ("Paszke, Adam", "Gross, Sam", "Massa, Francisco", "others"),
        "PyTorch: An Imperative Style, High-Performance Deep Learning Library",
        "Advances in Neural Information Processing Systems", 2019, "32",
    ),
    "gpytorch": Citation(
        "gpytorch", "Gaussian processes", "10.48550/arXiv.1809.11165", "inproceedings",
        ("Gardner, Jacob R.", "Pleiss, Geoff", "Bindel, David", "Weinberger, Kilian Q.", "Wilson, Andrew Gordon"),
        "GPyTorch: Blackbox Matrix-Matrix Gaussian Process Inference with GPU Acceleration",
        "Advances in Neural Information Processing Systems", 2018, "31",
    ),
    "botorch": Citation(
        "botorch", "models of the surrogate and their fit", "10.48550/arXiv.1910.06403", "inproceedings",
        ("Balandat, Maximilian", "Karrer, Brian", "Jiang, Daniel R.", "Daulton, Samuel", "Letham, Benjamin",
         "Wilson, Andrew Gordon", "Bakshy, Eytan"),
        "BoTorch: A Framework for Efficient Monte-Carlo Bayesian Optimization",
        "Advances in Neural Information Processing Systems", 2020, "33",
    ),
    "pymatgen": Citation(
        "pymatgen", "formulas and elements", "10.1016/j.commatsci.2012.10.028", "article",
        ("Ong, Shyue Ping", "Richards, William Davidson", "Jain, Anubhav", "others"),
        "Python Materials Genomics (pymatgen): A robust, open-source python library for materials analysis",
        "Computational Materials Science", 2013, "68", "314–319",
    ),
    "xarray": Citation(
        "xarray", "stored fields", "10.5334/jors.148", "article",
        ("Hoyer, Stephan", "Hamman, Joe"),
        "xarray: N-D labeled Arrays and Datasets in Python", "Journal of Open Research Software", 2017, "5",
    ),
    "statsmodels": Citation(
        "statsmodels", "regression with robust intervals", "10.25080/Majora-92bf1922-011", "inproceedings",
        ("Seabold, Skipper", "Perktold, Josef"),
        "Statsmodels: Econometric and Statistical Modeling with Python",
        "Proceedings of the 9th Python in Science Conference", 2010, "", "92–96",
    ),
    "matplotlib": Citation(
        "matplotlib", "figures", "10.1109/MCSE.2007.55", "article",
        ("Hunter, John D.",), "Matplotlib: A 2D Graphics Environment",
        "Computing in Science & Engineering", 2007, "9", "90–95",
    ),
    "mpltern": Citation(
        "mpltern", "ternary maps", "10.5281/zenodo.3528354", "misc",
        ("Ikeda, Yuji",), "mpltern", "Zenodo",
    ),
}  # fmt: skip
"""Libraries by the name under which they are installed."""

METHODS: Final = {
    "gaussian-process": Citation(
        "rasmussen2006", "Gaussian-process regression, exact leave-one-out", "10.7551/mitpress/3206.001.0001", "book",
        ("Rasmussen, Carl Edward", "Williams, Christopher K. I."),
        "Gaussian Processes for Machine Learning", "MIT Press", 2006,
    ),
    "fast-stepping": Citation(
        "sommeijer1998", "adaptive Runge–Kutta–Chebyshev stepping", "10.1016/S0377-0427(97)00219-7", "article",
        ("Sommeijer, B. P.", "Shampine, L. F.", "Verwer, J. G."), "RKC: An explicit solver for parabolic PDEs",
        "Journal of Computational and Applied Mathematics", 1998, "88", "315–326",
    ),
    "mixture-regression": Citation(
        "scheffe1958", "mixture regression of S and σ on composition", "10.1111/j.2517-6161.1958.tb00299.x", "article",
        ("Scheffé, Henry",), "Experiments with Mixtures",
        "Journal of the Royal Statistical Society: Series B", 1958, "20", "344–360",
    ),
    "element-influence": Citation(
        "cox1971", "influence of one element at constant ratio of the others", "10.1093/biomet/58.1.155", "article",
        ("Cox, D. R.",), "A note on polynomial response functions for mixtures", "Biometrika", 1971, "58", "155–159",
    ),
    "grain-growth": Citation(
        "wang2006", "functional of grain growth and sintering", "10.1016/j.actamat.2005.10.032", "article",
        ("Wang, Yu U.",), "Computer modeling and simulation of solid-state sintering: A phase field approach",
        "Acta Materialia", 2006, "54", "953–961",
    ),
    "densification": Citation(
        "coble1961", "final-stage densification by boundary diffusion", "10.1063/1.1736107", "article",
        ("Coble, R. L.",), "Sintering Crystalline Solids. I. Intermediate and Final State Diffusion Models",
        "Journal of Applied Physics", 1961, "32", "787–792",
    ),
    "front-tracking": Citation(
        "sun2007", "equation of the lithium front without curvature of its own", "10.1016/j.jcp.2006.05.025", "article",
        ("Sun, Y.", "Beckermann, C."), "Sharp interface tracking using the phase-field equation",
        "Journal of Computational Physics", 2007, "220", "626–653",
    ),
    "pressure-and-potential": Citation(
        "monroe2005", "shift of the potential of lithium under pressure", "10.1149/1.1850854", "article",
        ("Monroe, Charles", "Newman, John"),
        "The Impact of Elastic Deformation on Deposition Kinetics at Lithium/Polymer Interfaces",
        "Journal of The Electrochemical Society", 2005, "152", "A396",
    ),
    "flaw-threshold": Citation(
        "porz2017", "overpotential that drives a flaw filled with lithium", "10.1002/aenm.201701003", "article",
        ("Porz, L.", "others"),
        "Mechanism of Lithium Metal Penetration through Inorganic Solid Electrolytes",
        "Advanced Energy Materials", 2017, "7", "1701003",
    ),
    "boundary-strengths": Citation(
        "arXiv_2603_20113", "scatter of the strengths of boundaries", "10.48550/arXiv.2603.20113",
    ),
    "interphase-growth": Citation(
        "deal1965", "reaction, then diffusion through the product", "10.1063/1.1713945", "article",
        ("Deal, B. E.", "Grove, A. S."), "General Relationship for the Thermal Oxidation of Silicon",
        "Journal of Applied Physics", 1965, "36", "3770–3778",
    ),
    "brick-layer": Citation(
        "vandijk1981", "brick layer model of a ceramic", "10.1002/pssa.2210630131", "article",
        ("van Dijk, T.", "Burggraaf, A. J."), "", "physica status solidi (a)", 1981, "63",
    ),
    "multigrid": Citation(
        "dendy1982", "conduction problem on heterogeneous microstructures", "10.1016/0021-9991(82)90057-2", "article",
        ("Dendy, J. E.",), "Black box multigrid", "Journal of Computational Physics", 1982, "48", "366–386",
    ),
}  # fmt: skip
"""Methods by name."""

METHODS_OF: Final = {
    "paper": ("brick-layer", "multigrid"),
    "physical": (
        "grain-growth", "densification", "front-tracking", "pressure-and-potential", "flaw-threshold",
        "boundary-strengths", "interphase-growth", "brick-layer", "multigrid",
    ),
}  # fmt: skip
"""Methods of each model, beside those that every campaign uses (``paper`` with fast stepping also that)."""

COMMON_METHODS: Final = ("gaussian-process", "mixture-regression", "element-influence")
"""Methods of every campaign."""

DATA: Final = (
    Citation(
        "therrien2025", "table of measured conductivities", "10.48550/arXiv.2502.14234", "misc",
        ("Therrien, F.", "Abou Haibeh, J.", "Sharma, D.", "others"), "OBELiX", "arXiv", 2025,
    ),
    Citation(
        "laskowski2023", "table of measured conductivities", "10.1039/d2ee03499a", "article",
        ("Laskowski, F. A. L.", "others"), "", "Energy & Environmental Science", 2023, "16", "1264",
    ),
    Citation(
        "hargreaves2023", "table of measured conductivities", "10.1038/s41524-022-00951-z", "article",
        ("Hargreaves, C. J.", "others"), "", "npj Computational Materials", 2023,
    ),
)  # fmt: skip
"""Collections from which the committed table of measured conductivities was read."""

_DOI: Final = re.compile(r"\b10\.\d{4,9}/[^\s,;\"']+", re.IGNORECASE)


def citations(
    sources: Iterable[str] = (),
    libraries: Iterable[str] | None = None,
    methods: Iterable[str] | None = None,
    *,
    data: bool = False,
) -> tuple[Citation, ...]:
    """Everything to cite for a run.

    Parameters
    ----------
    sources : iterable of str
        Texts that say what parameters rest on; every DOI in them is cited.
    libraries, methods : iterable of str, optional
        Names of what was used; by default all of `LIBRARIES` and `METHODS`.
    data : bool
        Whether the committed table of measured LAGP conductivities was used.

    Returns
    -------
    tuple of Citation
        Methods, data, parameter sources in order of their DOI, libraries; no DOI twice.

    Raises
    ------
    KeyError
        If a library or method is not listed.
    """
    tables = DATA if data else ()
    parameters = [
        Citation(re.sub(r"\W+", "_", doi), "parameters of the material", doi)
        for doi in sorted({doi for text in sources for doi in dois_in(text)}, key=str.lower)
    ]
    tools = [LIBRARIES[name] for name in (LIBRARIES if libraries is None else libraries)]
    ways = [METHODS[name] for name in (METHODS if methods is None else methods)]
    found: dict[str, Citation] = {}
    for citation in (*ways, *tables, *parameters, *tools):
        found.setdefault(citation.doi.lower(), citation)
    return tuple(found.values())


def bibtex(entries: Sequence[Citation]) -> str:
    """One BibTeX file with all `entries`."""
    return "\n\n".join(entry.to_bibtex() for entry in entries) + "\n"


def dois_in(text: str) -> list[str]:
    """DOIs in a text, without the punctuation that follows them.

    Examples
    --------
    >>> dois_in("flaw (doi:10.1002/aenm.201701003); see 10.1016/S0377-0427(97)00219-7.")
    ['10.1002/aenm.201701003', '10.1016/S0377-0427(97)00219-7']
    """
    return [_without_tail(match) for match in _DOI.findall(text)]


def _without_tail(doi: str) -> str:
    doi = doi.rstrip(".:")
    # A parenthesis belongs to a DOI only if it is opened inside it.
    while doi.endswith(")") and doi.count(")") > doi.count("("):
        doi = doi[:-1].rstrip(".:")
    return doi


def _short_names(authors: Sequence[str]) -> str:
    families = [name.split(",")[0] for name in authors]
    if not families:
        return ""
    if families[-1:] == ["others"] or len(families) > 3:
        return f"{families[0]} et al."
    return " and ".join(families) if len(families) < 3 else f"{families[0]}, {families[1]} and {families[2]}"
