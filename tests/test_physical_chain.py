"""The physical model from formula to record: what it reports, what moves it, other systems, failures."""

from __future__ import annotations

import numpy as np
import pytest

import dynaphase as dp
from dynaphase.descriptors import degraded_thickness
from dynaphase.errors import ConfigError
from dynaphase.records import Record, RecordStatus
from dynaphase.settings import make_settings

LAGP = "Li1.5Al0.5Ge1.5(PO4)3"


def evaluate(formula: str = LAGP, seed: int = 0, system: str = "lagp", **settings: object) -> Record:
    return dp.evaluate(formula, model="physical", seed=seed, system=system, settings={"fidelity": "eikonal"} | settings)


@pytest.fixture(scope="module")
def reference() -> Record:
    return evaluate()


def test_a_record_holds_what_was_promised(reference: Record) -> None:
    assert reference.is_done
    assert 0 < reference.values["stability_score"] < 100
    descriptors = reference.descriptors
    assert 15 < descriptors["grain_size_nm"] < 35
    assert 0.01 < descriptors["void_fraction"] < 0.08
    assert 15 < descriptors["interface_width_nm"] < 35
    assert 10 < descriptors["eta_perc_mV"] < descriptors["eta_50_mV"] < 30
    assert descriptors["eta_onset_mV"] < descriptors["eta_50_mV"]
    # CCD = 2 i₀ sinh(b η₅₀) in mA/cm², i₀ = 10 A/m²
    expected = 2.0 * np.sinh(19.46e-3 * descriptors["eta_50_mV"])
    assert descriptors["critical_current_density_mA_per_cm2"] == pytest.approx(expected, rel=1e-3)
    assert reference.fields is not None
    assert set(reference.fields.arrays) >= {"lithium", "decomposed", "threshold", "grain_id", "density"}


def test_conductivity_of_the_ceramic_is_the_measured_one(reference: Record) -> None:
    """The same ceramic bridge as in the paper model: grains of the box do not matter, voids and phases do."""
    measured = 2.73e-4  # the fit at x = 0.5, S/cm
    assert abs(np.log10(reference.values["ceramic_conductivity_S_per_cm"] / measured)) < 0.1
    assert reference.values["ionic_conductivity_S_per_cm"] < 0.3 * reference.values["ceramic_conductivity_S_per_cm"]
    assert reference.values["aged_conductivity_S_per_cm"] < reference.values["across_conductivity_S_per_cm"]
    assert 0.35 < reference.values["activation_energy_eV"] < 0.55


def test_the_same_candidate_gives_the_same_record(reference: Record) -> None:
    again = evaluate()
    assert again.values == reference.values
    assert again.descriptors == reference.descriptors
    other = evaluate(seed=1)
    assert other.descriptors["eta_50_mV"] != reference.descriptors["eta_50_mV"]


def test_without_chemistry_nothing_is_decomposed_and_lithium_comes_later(reference: Record) -> None:
    inert = evaluate(chemistry=False)
    assert inert.descriptors["interface_width_nm"] == 0.0
    assert inert.descriptors["eta_50_mV"] > reference.descriptors["eta_50_mV"]
    assert inert.values["stability_score"] > reference.values["stability_score"] + 10
    assert inert.values["aged_conductivity_S_per_cm"] == pytest.approx(
        inert.values["across_conductivity_S_per_cm"], rel=1e-6
    )


def test_a_slower_sweep_finds_a_lower_potential(reference: Record) -> None:
    slow = evaluate(sweep_duration_s=10_000.0)
    assert slow.descriptors["eta_50_mV"] < reference.descriptors["eta_50_mV"]
    assert slow.descriptors["eta_perc_mV"] == reference.descriptors["eta_perc_mV"]


def test_secondary_phases_pin_grains_and_lower_conduction(reference: Record) -> None:
    mixed = evaluate("Li1.8Al0.8Ge1.2(PO4)3")
    assert mixed.descriptors["grain_size_nm"] < reference.descriptors["grain_size_nm"] - 2
    assert mixed.values["ionic_conductivity_S_per_cm"] < reference.values["ionic_conductivity_S_per_cm"]


def test_the_diffuse_front_follows_the_sharp_one(reference: Record) -> None:
    diffuse = evaluate(fidelity="96")
    assert diffuse.descriptors["grain_size_nm"] == reference.descriptors["grain_size_nm"]
    sharp = reference.descriptors["eta_50_mV"]
    assert sharp < diffuse.descriptors["eta_50_mV"] < 1.08 * sharp


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_is_one_ceramic_on_every_grid(seed: int) -> None:
    """Its weakest way is as weak at 128² as at 96²: the same grains, and boundaries that are as strong."""
    found = [evaluate(seed=seed, fidelity=level).descriptors for level in ("96", "128")]
    for name, tolerance in (("eta_perc_mV", 0.04), ("eta_50_mV", 0.03), ("grain_size_nm", 0.05)):
        assert found[1][name] == pytest.approx(found[0][name], rel=tolerance)


@pytest.mark.parametrize(("formula", "system"), [("Li1.3Al0.3Ti1.7(PO4)3", "latp"), ("Li6.4La3Zr1.4Ta0.6O12", "llzo")])
def test_other_systems(formula: str, system: str, reference: Record) -> None:
    record = evaluate(formula, system=system)
    assert record.is_done
    # titanium is reduced as germanium is, zirconium is not
    thicker = record.descriptors["interface_width_nm"] > reference.descriptors["interface_width_nm"]
    assert thicker == (system == "latp")


def test_the_interface_is_measured_from_the_metal_on_any_grid() -> None:
    """5 nm of lithium end amid a cell of 64/96 nm: whether that is metal or not, no decomposed row is left out."""
    found = evaluate(length_nm=64.0, rest_duration_s=400.0)
    assert found.fields is not None
    extent, density = found.fields.arrays["decomposed"], found.fields.arrays["density"]
    first = int(np.argmax(extent.max(axis=1) > 0))
    width = degraded_thickness(extent[first:-1], density[first:-1], found.fields.spacing_nm)
    assert found.descriptors["interface_width_nm"] == pytest.approx(width.width_nm, rel=1e-9)


def test_a_box_that_the_grid_cannot_resolve_is_refused() -> None:
    """Cells of 4 nm have no boundaries 4 nm wide: grains of 75 nm and ten times the conductivity would come out."""
    with pytest.raises(ConfigError, match=r"cells of 4\.17 nm.*at most 153 nm, or fidelity '256'"):
        evaluate(length_nm=400.0)
    with pytest.raises(ConfigError, match="at most 146 nm"):
        evaluate(length_nm=160.0, fidelity="3d")
    make_settings("physical", {"fidelity": "256", "length_nm": 400.0})


def test_a_short_circuit_that_did_not_come_is_a_lower_bound() -> None:
    """At 200 K lithium is too slow to get anywhere below 150 mV."""
    cold = evaluate(until_short=True, temperature_K=200.0)
    assert cold.descriptors["eta_short_mV"] == 150.0
    assert any("η_short" in note and "lower bound" in note for note in cold.notes)


def test_a_box_of_few_grains_says_so(reference: Record) -> None:
    assert not any("the box" in note for note in reference.notes)
    small = evaluate(length_nm=40.0)
    assert any("holds few grains" in note for note in small.notes)


def test_without_host_the_record_fails_with_its_reason() -> None:
    record = evaluate("Li0.02Al0.96Ge0.02")
    if record.status is RecordStatus.DONE:
        pytest.skip("this composition forms some host")
    assert "no electrolyte" in record.reason


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="'fidelity' = 'coarse'"):
        evaluate(fidelity="coarse")
    with pytest.raises(ConfigError, match="unknown key 'stepping'"):
        evaluate(stepping="fast")
    with pytest.raises(ConfigError, match="there is: physical, paper"):
        dp.evaluate(LAGP, model="physics")
