from __future__ import annotations

import re

import pytest

from dynaphase.citations import DATA, LIBRARIES, METHODS, bibtex, citations, dois_in

EVERYTHING = (*METHODS.values(), *DATA, *LIBRARIES.values())


def test_every_citation_has_a_doi_and_a_purpose() -> None:
    for citation in EVERYTHING:
        assert re.fullmatch(r"10\.\d{4,9}/\S+", citation.doi)
        assert citation.purpose
        assert citation.url == f"https://doi.org/{citation.doi}"
    assert len({c.key for c in EVERYTHING}) == len({c.doi.lower() for c in EVERYTHING}) == len(EVERYTHING)


def test_dois_of_parameters_are_found_once() -> None:
    sources = ["fit; doi:10.1016/s0167-2738(97)00434-7, doi:10.1021/acsami.8b00842", "(doi:10.1021/ACSAMI.8b00842)."]
    assert dois_in(sources[0]) == ["10.1016/s0167-2738(97)00434-7", "10.1021/acsami.8b00842"]
    found = citations(sources, libraries=(), methods=())
    assert [c.doi.lower() for c in found] == ["10.1016/s0167-2738(97)00434-7", "10.1021/acsami.8b00842"]
    assert dois_in("no source, 10.5 nm") == []


def test_only_what_was_used_is_cited() -> None:
    assert {c.key for c in citations(libraries=["numpy"], methods=["gaussian-process"])} == {"numpy", "rasmussen2006"}
    assert set(DATA) <= set(citations(data=True))
    assert not set(DATA) & set(citations())
    with pytest.raises(KeyError):
        citations(libraries=["no-such-library"])


def test_a_citation_reads_like_one() -> None:
    assert str(LIBRARIES["numpy"]).startswith("Harris et al. Array programming with NumPy. Nature 585, 357–362 (2020)")
    assert str(citations(["doi:10.1000/x"], (), ())[0]) == "doi:10.1000/x"


def test_bibtex_is_balanced_and_complete() -> None:
    text = bibtex(citations(["doi:10.1000/x_y"], data=True))
    assert text.count("{") == text.count("}")
    assert len(re.findall(r"^@\w+\{[\w-]+,$", text, re.MULTILINE)) == len(EVERYTHING) + 1
    assert "Energy \\& Environmental" in text
    assert "357--362" in text
