"""Options of the physical model that are off by default: what each adds, and that it changes nothing else."""

from __future__ import annotations

import pytest

import dynaphase as dp
from dynaphase.errors import ConfigError
from dynaphase.materials import SYSTEMS, get_system
from dynaphase.physical_options import leakage_of
from dynaphase.records import Record
from dynaphase.settings import make_settings


def evaluate(**settings: object) -> Record:
    return dp.evaluate(
        "Li1.5Al0.5Ge1.5(PO4)3", model="physical", system="lagp",
        settings={"fidelity": "96", "length_nm": 60.0} | settings,
    )  # fmt: skip


@pytest.mark.parametrize("option", ["leakage", "stripping"])
@pytest.mark.parametrize("fidelity", ["eikonal", "3d"])
def test_they_need_a_diffuse_front(option: str, fidelity: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} needs the diffuse front"):
        make_settings("physical", {"fidelity": fidelity, option: True})


def test_every_system_knows_its_electrons() -> None:
    """σ_e is a prior of a decade in every system, with its source."""
    for name in SYSTEMS:
        material = get_system(name).material(get_system(name).reference)
        found = leakage_of(material)
        assert 1e-12 < found.electronic_S_per_m < 1e-5
        assert found.cell_thickness_m > 1e-5
        assert 1 < found.cell_voltage_V < 6
        assert material.parameters["electronic_conductivity_S_per_m"].spread.sd > 2.0


@pytest.mark.long
def test_what_each_adds() -> None:
    """Each option adds its descriptors; the others are the same to the last bit unless the option acts on them."""
    plain = evaluate()
    for option, names in (
        ("until_short", {"eta_short_mV"}),
        ("stripping", {"plated_inside_nm", "stripped_fraction", "contact_loss_fraction"}),
    ):
        found = evaluate(**{option: True}, cycle_half_s=25.0)
        assert set(found.descriptors) - set(plain.descriptors) == names
        assert {name: found.descriptors[name] for name in plain.descriptors} == plain.descriptors
        assert found.values == plain.values
        if option == "stripping":
            assert found.descriptors["plated_inside_nm"] > 0
            assert 0 < found.descriptors["stripped_fraction"] <= 1
            assert 0 < found.descriptors["contact_loss_fraction"] < 1
        else:
            assert found.descriptors["eta_short_mV"] > plain.descriptors["eta_50_mV"]
    leaky = evaluate(leakage=True)
    assert set(leaky.descriptors) - set(plain.descriptors) == {"leakage_current_mA_per_cm2", "internal_lithium_nm"}
    assert leaky.descriptors["eta_50_mV"] < plain.descriptors["eta_50_mV"]
    assert leaky.descriptors["grain_size_nm"] == plain.descriptors["grain_size_nm"]
    assert leaky.descriptors["leakage_current_mA_per_cm2"] > 8e-5  # what crosses the electrolyte: σ_e U/L_cell


def test_quasi_static_current_is_below_the_one_of_the_sweep() -> None:
    """2 i₀ sinh(b η_perc) < 2 i₀ sinh(b η₅₀); the thickness counts what the width has as its reach."""
    found = dp.evaluate(
        "Li1.5Al0.5Ge1.5(PO4)3", model="physical", system="lagp", settings={"fidelity": "eikonal"}
    ).descriptors
    quasi_static = found["quasi_static_critical_current_density_mA_per_cm2"]
    assert 0 < quasi_static < found["critical_current_density_mA_per_cm2"]
    assert 0.3 * found["interface_width_nm"] < found["interphase_thickness_nm"] < found["interface_width_nm"]
