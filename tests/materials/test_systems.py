"""What every material system promises, held to it: those that ship, the template, and one of four elements."""

import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaphase.citations import dois_in
from dynaphase.composition import Composition
from dynaphase.errors import CompositionError, ConfigError, InputError
from dynaphase.materials import SYSTEMS, get_system
from dynaphase.materials.assemblage import charge
from dynaphase.materials.base import MaterialSystem, SpreadKind, Status
from dynaphase.materials.draws import draws
from dynaphase.materials.lagp_phases import HOST_ENDS, SECONDARY_PHASES, SOLUBILITY_LIMIT, host_phase
from dynaphase.materials.table import TableSystem
from dynaphase.materials.table_files import template
from dynaphase.materials.wetted import wetted_boundaries

FOUR = Path(__file__).with_name("data") / "four_elements.toml"

ALL = {name: get_system(name) for name in SYSTEMS}
ALL["template"] = TableSystem.from_toml(template(), "template.toml")
ALL["four"] = get_system(str(FOUR))
every_system = pytest.mark.parametrize("system", ALL.values(), ids=ALL)

DOI = re.compile(r"^10\.\d{4,9}/\S+[A-Za-z0-9]$|^10\.\d{4,9}/\S+\)\S+$")


def frame(system):
    """Phases by name, spectators and anion per formula unit of the host, and the solubility limit."""
    if system.name == "lagp":
        ends = (host_phase(HOST_ENDS[0], 0.0), host_phase(HOST_ENDS[1], SOLUBILITY_LIMIT))
        return {p.name: p for p in (*ends, *SECONDARY_PHASES)}, {"P": 3.0}, "O", SOLUBILITY_LIMIT
    chemistry, limit = system.chemistry, system.solubility_limit
    phases = {p.name: p for p in (*(p for p, _ in chemistry.host_phases(limit).values()), *chemistry.phases)}
    return phases, dict(chemistry.framework.spectators), chemistry.framework.anion, limit


def random_compositions(system, n, seed=0):
    shares = np.random.default_rng(seed).dirichlet(np.ones(len(system.elements)), n)
    return [Composition.from_amounts(dict(zip(system.elements, map(float, row), strict=True))) for row in shares]


@every_system
def test_it_is_a_system_that_travels(system):
    assert isinstance(system, MaterialSystem)
    again = pickle.loads(pickle.dumps(system))
    assert again == system
    assert hash(again) == hash(system)
    assert again.material(again.reference) == system.material(system.reference)
    assert system.read(system.formula(system.reference)) == system.read(system.reference)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(ConfigError, match=r"lagp, latp, llzo, the path of a \.toml table.*Did you mean 'llzo'"):
        get_system("lzlo")


@every_system
def test_every_phase_is_neutral(system):
    for phase in frame(system)[0].values():
        assert charge(phase.elements) == pytest.approx(0, abs=1e-12), phase.name


@every_system
def test_m1_on_the_line_there_is_nothing_but_host(system):
    for x in np.linspace(0, frame(system)[3], 21):
        found = system.assemblage(system.from_coordinates(float(x)))
        assert found.host_fraction == pytest.approx(1, abs=1e-9)
        assert found.host_coordinate == pytest.approx(x, abs=1e-9)
        assert found.charge_imbalance == pytest.approx(0, abs=1e-9)


@every_system
def test_m2_every_element_balances_on_the_whole_simplex(system):
    phases, spectators, anion, limit = frame(system)
    elements = {element for phase in phases.values() for element in phase.elements}
    for composition in random_compositions(system, 300):
        found = system.assemblage(composition)
        held = dict.fromkeys(elements, 0.0)
        for name, n in found.amounts.items():
            for element, amount in phases[name].elements.items():
                held[element] += n * amount
        ratio = [held[e] / composition[e] for e in system.elements]
        assert max(ratio) / min(ratio) - 1 < 1e-9
        for element, amount in spectators.items():
            cations = sum(held[e] for e in system.elements[1:])
            assert held[element] == pytest.approx(amount * cations / 2, rel=1e-9)
        assert charge(held) == pytest.approx(0, abs=1e-9 * held[anion])
        assert sum(found.volume_fractions.values()) == pytest.approx(1, abs=1e-12)
        assert min(found.amounts.values()) > 0
        assert -1e-9 <= found.host_coordinate <= limit + 1e-9


@pytest.mark.parametrize("name", ["latp", "llzo"])
def test_m3_the_curve_meets_its_own_rows(name):
    system = ALL[name]
    points = system.table.conductivity.points
    errors = []
    for point in points:
        m = system.material(system.from_coordinates(point.x))
        errors.append(math.log10(m["measured_conductivity_S_per_m"] / 100) - point.value)
    assert math.sqrt(np.mean(np.square(errors))) < 0.2
    assert abs(np.mean(errors)) < 0.05


MAY_VANISH = {
    "host_coordinate", "host_fraction", "film_fraction", "refractory_fraction", "initial_wetting",
    "paper_transport_number", "exchange_current_density_A_per_m2",
}  # fmt: skip


@every_system
def test_every_parameter_is_positive_and_says_what_it_rests_on(system):
    names = set(system.material(system.reference).parameters)
    for composition in random_compositions(system, 25, seed=1):
        for temperature in (220.0, 298.15, 450.0):
            material = system.material(composition, temperature)
            assert set(material.parameters) == names
            for name, p in material.parameters.items():
                assert math.isfinite(p.value)
                assert p.value > 0 or (name in MAY_VANISH and p.value == 0), name
                assert p.unit
                assert len(p.source) > 3, name
                assert p.spread.kind is SpreadKind.EXACT or p.spread.sd > 0
                for doi in dois_in(p.source):
                    assert DOI.match(doi), doi
                if p.status is Status.MEASURED:
                    assert dois_in(p.source) or re.search(r"\(\d{4}\)", p.source), name


def test_parameters_have_the_same_names_in_every_system():
    def shared(system):
        phases = [f"_{phase}_S_per_m" for phase in frame(system)[0]] + [f"factor_{p}" for p in frame(system)[0]]
        return {n for n in system.material(system.reference).parameters if not n.endswith(tuple(phases))}

    reference = shared(ALL["lagp"])
    for name, system in ALL.items():
        assert shared(system) - {"polymorph_limit"} == reference, name


@every_system
@pytest.mark.parametrize("x", [0.0, 0.3])
def test_bulk_and_boundary_are_arrhenius(system, x):
    composition = system.from_coordinates(x)
    hot, cold = system.material(composition, 330.0), system.material(composition, 280.0)
    per_energy = 8.617333262e-5 / (1 / 280.0 - 1 / 330.0)
    bulk = math.log(hot["bulk_conductivity_S_per_m"] * 330 / (cold["bulk_conductivity_S_per_m"] * 280)) * per_energy
    wall = math.log(cold["boundary_resistance_ohm_m2"] * 280**-1 / (hot["boundary_resistance_ohm_m2"] * 330**-1))
    assert bulk == pytest.approx(hot["bulk_activation_energy_eV"])
    assert wall * per_energy == pytest.approx(hot["boundary_activation_energy_eV"])
    for rates, energy in KINETICS.items():
        for rate in rates:
            assert math.log(hot[rate] / cold[rate]) * per_energy == pytest.approx(hot[energy]), rate


KINETICS = {
    ("cathode_reaction_rate_per_s", "cathode_diffusivity_nm2_per_s"): "cathode_activation_energy_eV",
    ("reduction_rate_per_s",): "reduction_activation_energy_eV",
    ("interphase_diffusivity_nm2_per_s", "grain_lithium_diffusivity_nm2_per_s"): (
        "interphase_diffusion_activation_energy_eV"
    ),
    ("exchange_current_density_A_per_m2",): "exchange_current_activation_energy_eV",
}


@every_system
def test_lithium_loss_makes_finer_slower_and_less_conducting_ceramics(system):
    """Away from the line there is less host and more of everything else, step by step."""
    along = [system.material(system.from_coordinates(0.3, -d)) for d in np.linspace(0, 0.6, 7)]
    for name in ("host_fraction", "grain_size_nm", "densification_rate", "exchange_current_density_A_per_m2"):
        values = [m[name] for m in along]
        falls = np.diff(values) < 0  # densification has a floor that it reaches
        assert np.all(falls | (name == "densification_rate" and np.isclose(values[1:], values[0] / 10))), name
    for name in ("refractory_fraction", "porosity"):
        assert np.all(np.diff([m[name] for m in along]) > 0), name


def glassy(system):
    """A composition with host, film and, but for garnet whose lithia keeps no other phase beside it, particles."""
    least = 0.0 if system.name == "llzo" else 0.01
    for composition in random_compositions(system, 300, seed=2):
        m = system.material(composition)
        if 0 < m["initial_wetting"] < 1 and m["refractory_fraction"] >= least and m.assemblage.host_fraction > 0.2:
            return composition
    raise AssertionError("no such composition")


@every_system
def test_a_draw_moves_what_it_names_and_what_follows(system):
    composition = glassy(system)
    median = system.material(composition)
    moved_by_any = set()
    for name in system.draw_names:
        parameter = median.parameters[name]
        moved = system.material(composition, draw={name: 0.5})
        move = 0.5 * parameter.spread.sd
        is_normal = parameter.spread.kind is SpreadKind.NORMAL
        expected = parameter.value + move if is_normal else parameter.value * math.exp(move)
        assert moved[name] == pytest.approx(expected), name
        assert moved[name] != parameter.value, name
        moved_by_any |= {n for n in median.parameters if moved[n] != median[n]}
    still = {n for n in median.parameters if n not in moved_by_any}
    fixed = {n for n, p in median.parameters.items() if p.spread.kind is SpreadKind.EXACT}
    assert still <= fixed, still - fixed


@every_system
@pytest.mark.parametrize("z", [-8.0, 8.0])
def test_no_draw_leaves_the_physical_range(system, z):
    for composition in (system.reference, system.from_coordinates(0.3, -0.2)):
        names = set(system.draw_names)
        for pushed in (names, *({n} for n in names)):
            m = system.material(composition, draw=dict.fromkeys(pushed, z))
            for name, p in m.parameters.items():
                assert math.isfinite(p.value)
                assert p.value >= (-0.05 if name == "boundary_activation_energy_excess_eV" else 0), name
            assert m["surface_energy_J_per_m2"] > 7 / 12 * m["boundary_energy_J_per_m2"]
            assert m["film_conductance_loss"] < 1


@every_system
def test_surface_and_boundary_energy_keep_their_stated_spread(system):
    """γ_s is drawn as a margin above (7/12) γ_gb; its own spread must come out of both."""
    many = [system.material(system.reference, draw=d) for d in draws(
        ("boundary_energy_J_per_m2", "surface_energy_margin_J_per_m2"), 400, seed=4)]  # fmt: skip
    surface = np.array([m["surface_energy_J_per_m2"] for m in many])
    boundary = np.array([m["boundary_energy_J_per_m2"] for m in many])
    assert np.all(surface > 7 / 12 * boundary)
    assert np.median(surface) == pytest.approx(1.0, abs=0.05)
    assert surface.std() == pytest.approx(0.3, abs=0.08)
    assert system.material(system.reference).parameters["surface_energy_J_per_m2"].spread.sd == pytest.approx(0.3)


@every_system
@given(x=st.floats(0, 0.9), delta=st.floats(-0.4, 0.4))
@settings(max_examples=40, deadline=None)
def test_coordinates_and_formulas_come_back(system, x, delta):
    composition = system.from_coordinates(x, delta)
    assert system.coordinates(composition) == pytest.approx((x, delta), abs=1e-9)
    reading = system.read(system.formula(composition))
    assert reading.notes == ()
    for element in system.elements:
        assert reading.composition[element] == pytest.approx(composition[element], abs=2e-4)


@every_system
@pytest.mark.parametrize(("x", "delta"), [(-0.1, 0), (5.0, 0), (0.3, -8.0), (math.nan, 0), (0.3, math.nan)])
def test_impossible_coordinates_are_refused(system, x, delta):
    with pytest.raises(CompositionError, match="δ"):
        system.from_coordinates(x, delta)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("latp", ["Li1.3Al0.3Ti1.7(PO4)3", "Li1.3Al0.3Ti1.7P3O12", "Li13Al3Ti17", {"Li": 1.3, "Al": 0.3, "Ti": 1.7}]),
        ("llzo", ["Li6.4La3Zr1.4Ta0.6O12", "Li64Zr14Ta6", {"Li": 6.4, "Zr": 1.4, "Ta": 0.6}]),
        ("four", ["Li1.4Al0.4Ge0.8Ti0.8(PO4)3", "Li7Al2Ge4Ti4"]),
    ],
)
def test_what_is_fixed_is_implied(name, texts):
    system = ALL[name]
    for text in texts:
        reading = system.read(text)
        assert reading.composition == system.reference
        assert reading.notes == ()
        assert system.formula(reading.composition) == texts[0]


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("latp", "Li1.3Al0.3Ge1.7(PO4)3", "Ge is not part"),
        ("latp", "Al0.3Ti1.7(PO4)3", "no Li"),
        ("latp", "Li3PO4", "no Al or Ti"),
        ("latp", "Li1.3Al0.3Ti1.7(PO4)2", r"P : \(Al \+ Ti\) is 2 : 2 here, LATP has 3 : 2"),
        ("llzo", "Li6.4La2Zr1.4Ta0.6O12", r"La : \(Zr \+ Ta\) is 2 : 2 here, LLZO has 3 : 2"),
        ("llzo", "Li7La3O12", "no Zr or Ta"),
        ("llzo", {"Li": 6.4, "Zr": 1.4, "Ta": 0.6, "La": 3}, "leave them out of a mapping"),
    ],
)
def test_what_does_not_belong_is_refused(name, source, message):
    with pytest.raises(CompositionError, match=message):
        ALL[name].read(source)


def test_lithium_loss_leaves_pyrochlore_and_excess_leaves_lithia():
    llzo = ALL["llzo"]
    assert "La2Zr2O7" in llzo.assemblage(llzo.from_coordinates(0.4, -0.3)).secondary
    rich = llzo.material(llzo.from_coordinates(0.4, 0.3))
    assert set(rich.assemblage.secondary) == {"Li2O"}
    assert rich["film_fraction"] > 0


def test_undoped_garnet_is_tetragonal_and_poor():
    llzo = ALL["llzo"]
    undoped, doped = (llzo.material(llzo.from_coordinates(x)) for x in (0.0, 0.3))
    assert undoped["measured_conductivity_S_per_m"] == pytest.approx(1.63e-4, rel=0.01)
    assert undoped["bulk_activation_energy_eV"] == pytest.approx(0.54)
    assert any("tetragonal" in note for note in undoped.notes)
    assert doped["measured_conductivity_S_per_m"] > 100 * undoped["measured_conductivity_S_per_m"]
    assert doped.notes == ()
    sooner = llzo.material(llzo.from_coordinates(0.12), draw={"polymorph_limit": -2.0})
    assert sooner["measured_conductivity_S_per_m"] > 100 * undoped["measured_conductivity_S_per_m"]


def test_what_is_reduced_follows_the_potentials():
    rates = [ALL[n].material(ALL[n].reference)["reduction_rate_per_s"] for n in ("lagp", "latp", "llzo")]
    volts = [ALL[n].material(ALL[n].reference)["reduction_potential_V"] for n in ("lagp", "latp", "llzo")]
    assert np.array(rates) / rates[0] == pytest.approx(np.array(volts) / volts[0], rel=0.01)


@every_system
def test_the_furnace_reads_melt_and_particles(system):
    m = system.material(glassy(system))
    theta, v = m["initial_wetting"], m["refractory_fraction"]
    assert theta == pytest.approx(m["film_fraction"] * 13.1 / (math.pi / 2))
    assert m["reduced_time"] == pytest.approx(500 * (1 + theta))
    assert m["densification_rate"] == pytest.approx(1.3e-3 * (1 + theta) * max(0.1, 1 - v / 0.3))
    dry = system.material(system.reference)
    assert dry["reduced_time"] == 500
    assert dry["densification_rate"] == 1.3e-3
    assert dry["initial_porosity"] == 0.1
    assert dry.parameters["reduced_time"].spread.sd == pytest.approx(0.5, abs=2e-3)


@every_system
def test_the_spread_of_a_furnace_with_melt_is_that_of_its_origins(system):
    composition, h = glassy(system), 1e-3
    stated = system.material(composition).parameters
    for name in ("reduced_time", "densification_rate", "initial_wetting"):
        variance = 0.0
        for origin in system.draw_names:
            if origin != "solubility_limit":
                up, down = (math.log(system.material(composition, draw={origin: z})[name]) for z in (h, -h))
                variance += ((up - down) / (2 * h)) ** 2
        assert math.sqrt(variance) == pytest.approx(stated[name].spread.sd, rel=1e-3), name


@every_system
def test_wetting_depends_on_the_grains_and_weakens_boundaries(system):
    m = system.material(glassy(system))
    fine, coarse = wetted_boundaries(m, 5.0), wetted_boundaries(m, 1000.0)
    assert 0 < fine.wetting < coarse.wetting == 1
    assert coarse.resistance_ohm_m2 == pytest.approx(m["boundary_resistance_ohm_m2"] * m["film_resistance_factor_full"])
    assert coarse.energy_J_per_m2 == pytest.approx(0.7 * m["boundary_energy_J_per_m2"])
    assert coarse.toughness_ratio == pytest.approx(0.7 * m["boundary_toughness_ratio"])
    assert fine.energy_J_per_m2 == pytest.approx((1 - 0.3 * fine.wetting) * m["boundary_energy_J_per_m2"])
    with pytest.raises(InputError, match="positive"):
        wetted_boundaries(m, 0.0)


def test_draws_are_common_to_systems_and_prefixes_of_longer_ones():
    some, more = draws(ALL["lagp"].draw_names, 3, seed=1), draws(ALL["llzo"].draw_names, 5, seed=1)
    shared = set(some[0]) & set(more[0])
    assert len(shared) > 30
    for a, b in zip(some, more, strict=False):
        assert all(a[name] == b[name] for name in shared)
    assert some != draws(ALL["lagp"].draw_names, 3, seed=2)
    assert draws((), 2, seed=0) == [{}, {}]
    with pytest.raises(InputError, match="negative"):
        draws(("porosity",), -1, seed=0)


def test_draws_are_independent_standard_normals():
    table = np.array([list(d.values()) for d in draws([f"p{i}" for i in range(20)], 2000, seed=3)])
    assert np.abs(table.mean(axis=0)).max() < 0.1
    assert np.abs(table.std(axis=0) - 1).max() < 0.08
    off_diagonal = np.corrcoef(table.T) - np.eye(20)
    assert np.abs(off_diagonal).max() < 0.1


@every_system
def test_draws_go_into_materials(system):
    values = [
        system.material(system.reference, draw=d)["measured_conductivity_S_per_m"]
        for d in draws(system.draw_names, 20, seed=0)
    ]
    assert len(set(values)) == 20
