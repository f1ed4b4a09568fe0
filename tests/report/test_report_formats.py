from __future__ import annotations

import math

import pytest

from dynaphase.report import formats


def test_a_formula_gets_subscripts_and_loses_surplus_decimals() -> None:
    assert formats.formula_html("Li1.5Al0.5(PO4)3") == "Li<sub>1.5</sub>Al<sub>0.5</sub>(PO<sub>4</sub>)<sub>3</sub>"
    assert formats.formula_html("Li1.6667O") == "Li<sub>1.667</sub>O"
    assert formats.formula_html("Li0.0001O") == "Li<sub>0.0001</sub>O"


def test_markup_in_what_others_wrote_is_escaped() -> None:
    for write in (formats.formula_html, formats.linked_dois, formats.reason_html):
        assert "<script>" not in write("<script>alert(1)</script> doi:10.1000/x")


def test_only_formulae_in_a_sentence_get_subscripts() -> None:
    text = formats.reason_html("highest σ; S -0.3, σ ×1.36 against Li1.5Al0.5Ge1.5(PO4)3")
    assert text.startswith("highest σ; S −0.3, σ ×1.36 against Li<sub>1.5</sub>")
    assert text.count("<sub>") == 5


def test_every_doi_becomes_a_link_without_the_punctuation_around_it() -> None:
    text = formats.linked_dois("fit; doi:10.1002/aenm.201701003, doi:10.1016/s0167-2738(97)00434-7.")
    assert '<a href="https://doi.org/10.1002/aenm.201701003">' in text
    assert text.count("<a ") == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0123456, "0.0123"), (-2.5, "−2.5"), (1100, "1100"), (3e-10, "3.00×10⁻¹⁰"), (-1.5e6, "−1.50×10⁶")],
)
def test_plain_numbers(value: float, text: str) -> None:
    assert formats.plain(value) == text


def test_conductivities_and_their_intervals() -> None:
    assert formats.conductivity(2.863e-4) == "2.86×10⁻⁴"
    assert formats.conductivity(9.999e-5) == "1.00×10⁻⁴"
    assert formats.conductivity_interval((1.92e-5, 2.41e-5)) == "(1.92–2.41)×10⁻⁵"
    assert formats.conductivity_interval((8.0e-6, 2.41e-5)) == "(0.80–2.41)×10⁻⁵"
    assert formats.conductivity_interval((8.0e-8, 2.0e-5)) == "8.00×10⁻⁸ – 2.00×10⁻⁵"


def test_current_densities_keep_their_digits() -> None:
    assert [formats.current(value) for value in (0.7, 0.9996, 12.34, 2.5e-5)] == ["0.700", "1.00", "12.3", "2.50×10⁻⁵"]
    assert formats.current_interval((0.65, 0.7)) == "0.650–0.700"


def test_nothing_is_rounded_to_certainty() -> None:
    assert formats.decimals(0.99984) == ">0.999"
    assert formats.decimals(1.0) == "1.000"
    assert formats.percent(0.9996) == ">99 %"
    assert formats.percent(0.0002) == "<1 %"
    assert formats.percent(1.0) == "100 %"
    assert formats.p_value(1e-9) == "<0.001"


def test_what_is_undefined_is_a_dash() -> None:
    for write in (formats.plain, formats.decimals, formats.percent, formats.p_value):
        assert write(math.nan) == "–"
    assert formats.decimals(None) == "–"
