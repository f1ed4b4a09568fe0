"""Parameters of LAGP: complete, consistent, and moved together by a draw."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaphase.composition import Composition
from dynaphase.electrolyte.conduction import brick_layer
from dynaphase.errors import ConfigError, InputError
from dynaphase.materials.base import Spread, SpreadKind, Status
from dynaphase.materials.conductivity import fit_conductivity
from dynaphase.materials.lagp import LAGP
from dynaphase.materials.lagp_phases import SECONDARY_PHASES
from dynaphase.materials.sheet import ParameterSheet

lagp = LAGP()
MEDIAN = lagp.material(lagp.reference)

NEEDED = {
    "bulk_conductivity_S_per_m",
    "bulk_activation_energy_eV",
    "boundary_resistance_ohm_m2",
    "boundary_activation_energy_eV",
    "boundary_width_nm",
    "boundary_width_numerical_nm",
    "bulk_to_total_ratio",
    "film_fraction",
    "film_thickness_nm",
    "film_resistance_factor_full",
    "void_conductivity_S_per_m",
    "degraded_conductivity_S_per_m",
    "measured_conductivity_S_per_m",
    "literature_grain_size_nm",
    "grain_size_nm",
    "porosity",
    "surface_energy_J_per_m2",
    "paper_diffusivity_nm2_per_s",
    "paper_rate_per_s",
    "paper_interface_energy_J_per_m",
    "paper_transport_number",
    "interface_length_nm",
} | {f"conductivity_{phase.name}_S_per_m" for phase in SECONDARY_PHASES}

compositions = st.builds(
    lambda li, al, ge: Composition.from_amounts({"Li": li, "Al": al, "Ge": ge}),
    st.floats(0.02, 1),
    st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    st.sampled_from([0.02, 0.4, 1.0]),
)


@settings(max_examples=60, deadline=None)
@given(composition=compositions, temperature=st.floats(200, 500))
def test_every_parameter_is_positive_and_says_what_it_rests_on(composition, temperature):
    material = lagp.material(composition, temperature)
    assert set(material.parameters) >= NEEDED
    assert set(material.parameters) == set(MEDIAN.parameters)
    may_vanish = {"host_coordinate", "host_fraction", "film_fraction", "refractory_fraction", "initial_wetting"}
    may_vanish |= {"paper_transport_number", "exchange_current_density_A_per_m2"}
    for name, parameter in material.parameters.items():
        assert math.isfinite(parameter.value)
        assert parameter.value > 0 or (name in may_vanish and parameter.value == 0), name
        assert parameter.name == name
        assert parameter.unit
        assert len(parameter.source) > 3
        assert parameter.spread.kind is SpreadKind.EXACT or parameter.spread.sd > 0


@pytest.mark.parametrize("x", [0.0, 0.1, 0.2, 0.5, 0.6])
def test_a_dense_micrometre_ceramic_returns_the_measured_conductivity(x):
    material = lagp.material(lagp.from_coordinates(x))
    ceramic = brick_layer(
        material["bulk_conductivity_S_per_m"],
        material["boundary_resistance_ohm_m2"],
        material["literature_grain_size_nm"],
    )
    assert ceramic == pytest.approx(100 * 10 ** fit_conductivity().log10_conductivity(x), rel=1e-12)
    assert ceramic == pytest.approx(material["measured_conductivity_S_per_m"], rel=1e-12)
    assert material["bulk_conductivity_S_per_m"] == pytest.approx(1.5 * ceramic)


def test_at_any_temperature_the_total_is_the_series_of_both():
    for temperature in (250.0, 298.15, 373.15):
        m = lagp.material(lagp.reference, temperature)
        total = brick_layer(m["bulk_conductivity_S_per_m"], m["boundary_resistance_ohm_m2"], 1000.0)
        assert m["measured_conductivity_S_per_m"] == pytest.approx(total)


def test_bulk_and_boundary_are_arrhenius_with_their_own_energies():
    hot = lagp.material(lagp.reference, 330.0)
    cold = lagp.material(lagp.reference, 280.0)
    per_energy = 8.617333262e-5 / (1 / 280.0 - 1 / 330.0)

    def energy(name, sign):
        ratio = (hot[name] * 330.0**sign) / (cold[name] * 280.0**sign)
        return sign * math.log(ratio) * per_energy

    bulk, boundary = hot["bulk_activation_energy_eV"], hot["boundary_activation_energy_eV"]
    assert energy("bulk_conductivity_S_per_m", 1) == pytest.approx(bulk)
    assert energy("boundary_resistance_ohm_m2", -1) == pytest.approx(boundary)
    assert boundary - bulk == pytest.approx(0.06)


def test_beyond_the_solubility_limit_the_host_keeps_its_conductivity():
    """Dilution by secondary phases is the conduction problem's business; it must not be counted twice."""
    at_limit, beyond = (lagp.material(lagp.from_coordinates(x)) for x in (0.6, 0.8))
    assert beyond["bulk_conductivity_S_per_m"] == pytest.approx(at_limit["bulk_conductivity_S_per_m"], rel=1e-6)
    assert beyond["refractory_fraction"] == pytest.approx(0.159, abs=1e-3)


def test_paper_closures():
    m = lagp.material(lagp.from_coordinates(0.8))
    v = m.assemblage.secondary_fraction
    y = (1 - v) * (2 - m.assemblage.host_coordinate) + v * (2 - 0.8)
    reference = MEDIAN["paper_diffusivity_nm2_per_s"]
    assert m["paper_diffusivity_nm2_per_s"] == pytest.approx(reference * (y / 1.5) ** 2 * math.exp(2 * v))
    assert m["paper_rate_per_s"] == pytest.approx(MEDIAN["paper_rate_per_s"] * (y / 1.5) * (1 + 4 * v))
    assert m["paper_transport_number"] == m.assemblage.host_fraction
    assert m["paper_interface_energy_J_per_m"] == pytest.approx(0.8 * (1 - 0.3 * v) * 3e-9)


def test_nothing_jumps_where_the_host_vanishes():
    """Along lithium 0.255 the host goes from a trace to none: reactivity must not notice."""
    rates = []
    for aluminium in np.linspace(0.60, 0.66, 61):
        m = lagp.material(Composition.from_amounts({"Li": 0.255, "Al": aluminium, "Ge": 0.745 - aluminium}))
        rates.append((m["paper_rate_per_s"], m["paper_diffusivity_nm2_per_s"]))
    steps = np.abs(np.diff(np.log(rates), axis=0))
    assert steps.max() < 0.2


def test_a_source_names_only_the_publications_that_it_uses():
    at_zero, on_line = lagp.material(lagp.from_coordinates(0.0)), lagp.material(lagp.from_coordinates(0.4))
    assert "10.1021/jp9085602" in at_zero.parameters["measured_conductivity_S_per_m"].source
    assert "10.1021/jp9085602" not in on_line.parameters["measured_conductivity_S_per_m"].source
    energies = on_line.parameters["bulk_activation_energy_eV"].source
    assert {part for part in energies.replace(",", " ").split() if part.startswith("doi:")} == {
        "doi:10.1021/acsami.8b00842",
        "doi:10.1246/bcsj.65.2200",
    }
    between = lagp.material(lagp.from_coordinates(0.1)).parameters["measured_conductivity_S_per_m"]
    assert between.status is Status.CLOSURE
    assert on_line.parameters["measured_conductivity_S_per_m"].status is Status.MEASURED


def test_microstructure_closures_follow_phases_and_lithium():
    rich, poor = (lagp.material(lagp.from_coordinates(0.5, d)) for d in (0.2, -0.2))
    v = rich.assemblage.secondary_fraction
    assert rich["grain_size_nm"] == pytest.approx(30 * (1 + v / 0.05) ** -0.5 * 1.3)
    assert poor["porosity"] == pytest.approx(0.03 + 0.15 * poor.assemblage.secondary_fraction + 0.025)
    assert MEDIAN["grain_size_nm"] == pytest.approx(30)
    assert MEDIAN["porosity"] == pytest.approx(0.03)


def test_a_composition_without_host_conducts_like_its_secondary_phases():
    m = lagp.material(Composition.from_amounts({"Li": 1, "Al": 1}))
    values = [m[f"conductivity_{phase}_S_per_m"] for phase in m.assemblage.secondary]
    assert min(values) <= m["bulk_conductivity_S_per_m"] <= max(values)
    assert m.parameters["measured_conductivity_S_per_m"].status is Status.CLOSURE
    assert any("no NASICON" in note for note in m.notes)


def test_interpolated_conductivity_is_noted():
    assert any("interpolated" in note for note in lagp.material(lagp.from_coordinates(0.1)).notes)
    assert lagp.material(lagp.reference).notes == ()


@pytest.mark.parametrize("name", lagp.draw_names)
def test_a_draw_moves_a_parameter_by_its_spread(name):
    moved = lagp.material(lagp.reference, draw={name: 0.5})
    parameter = MEDIAN.parameters[name]
    if parameter.spread.kind is SpreadKind.NORMAL:
        expected = parameter.value + 0.5 * parameter.spread.sd
    else:
        expected = parameter.value * math.exp(0.5 * parameter.spread.sd)
    assert moved[name] == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [298.15, 350.0])
@pytest.mark.parametrize("name", [n for n, p in MEDIAN.parameters.items() if p.status is Status.DERIVED])
def test_the_spread_of_derived_parameters_is_that_of_their_origins(name, temperature):
    """First-order propagation of every independent draw, by central differences at the median."""
    h, variance = 1e-3, 0.0
    stated = lagp.material(lagp.reference, temperature).parameters[name].spread
    value = math.log if stated.kind is SpreadKind.LOGNORMAL else float
    for origin in lagp.draw_names:
        if origin == "solubility_limit":
            continue  # the assemblage has a kink at the limit, stated as exact given the limit
        up, down = (lagp.material(lagp.reference, temperature, {origin: z})[name] for z in (h, -h))
        variance += ((value(up) - value(down)) / (2 * h)) ** 2 if up != down else 0.0
    assert math.sqrt(variance) == pytest.approx(stated.sd, rel=1e-3, abs=1e-9)


def test_derived_parameters_follow_a_draw():
    moved = lagp.material(lagp.reference, draw={"boundary_to_bulk_ratio": 1.0, "measured_conductivity_S_per_m": 1.0})
    assert moved["bulk_to_total_ratio"] == pytest.approx(2.0)
    assert moved["bulk_conductivity_S_per_m"] == pytest.approx(2.0 * moved["measured_conductivity_S_per_m"])
    assert moved["measured_conductivity_S_per_m"] == pytest.approx(MEDIAN["measured_conductivity_S_per_m"] * 10**0.2)


def test_a_drawn_solubility_limit_changes_the_phases():
    less = lagp.material(lagp.reference, draw={"solubility_limit": -2.0})
    assert less["host_coordinate"] == pytest.approx(0.4)
    assert less.assemblage.host_fraction < 1


@pytest.mark.parametrize("z", [-8.0, 8.0])
def test_no_draw_leaves_the_physical_range(z):
    material = lagp.material(lagp.from_coordinates(0.7, 0.1), draw=dict.fromkeys(lagp.draw_names, z))
    for name, parameter in material.parameters.items():
        assert math.isfinite(parameter.value)
        assert parameter.value >= (-0.05 if name == "boundary_activation_energy_excess_eV" else 0), name
    assert material["porosity"] < 0.5
    assert material["film_conductance_loss"] < 1


def test_a_misspelt_draw_names_the_nearest_match():
    with pytest.raises(ConfigError, match="Did you mean 'porosity'"):
        lagp.material(lagp.reference, draw={"porosty": 1.0})


def test_a_derived_parameter_cannot_be_drawn():
    with pytest.raises(InputError, match="boundary_to_bulk_ratio"):
        lagp.material(lagp.reference, draw={"bulk_to_total_ratio": 1.0})


def test_a_draw_is_finite():
    with pytest.raises(InputError, match="finite"):
        lagp.material(lagp.reference, draw={"porosity": math.nan})


@pytest.mark.parametrize("temperature", [0.0, -5.0, math.nan, math.inf])
def test_a_temperature_is_kelvin(temperature):
    with pytest.raises(InputError, match="between 100 and 2000 K"):
        lagp.material(lagp.reference, temperature)


def test_materials_travel():
    assert pickle.loads(pickle.dumps(MEDIAN)) == MEDIAN


def test_a_name_is_defined_once():
    sheet = ParameterSheet()
    sheet.exact("a", 1.0, "m", Status.NUMERICAL, "test")
    with pytest.raises(ValueError, match="twice"):
        sheet.derived("a", 1.0, "m", Spread.exact(), "test")
    assert replace(sheet.parameters()["a"], value=2.0).value == 2.0
