"""Tables of material systems: the template, what is refused and how, the curves, and systems of any size."""

import csv
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from dynaphase.errors import CompositionError, ConfigError
from dynaphase.materials import get_system
from dynaphase.materials.base import Status
from dynaphase.materials.priors import (
    BoundaryPriors,
    FurnacePriors,
    InterphasePriors,
    MechanicsPriors,
    PaperPriors,
)
from dynaphase.materials.table import TableSystem
from dynaphase.materials.table_files import SHIPPED, read_table, template
from dynaphase.materials.table_laws import activation_energy, conductivity
from dynaphase.materials.table_schema import ConductivitySection, EnergySection, MaterialTable

DATA = Path(__file__).with_name("data")


def test_the_template_explains_every_key_there_is():
    """A key that is added to the schema has to be added to the template."""
    text, content = template(), tomllib.loads(template())
    assert set(content) == set(MaterialTable.model_fields)
    for section in (BoundaryPriors, FurnacePriors, InterphasePriors, MechanicsPriors, PaperPriors):
        name = next(n for n, field in MaterialTable.model_fields.items() if field.annotation is section)
        assert set(content[name]) == set(section.model_fields), name
    for name in ("system", "fixed", "host", "conductivity"):
        annotation = MaterialTable.model_fields[name].annotation
        assert annotation is not None
        for key in annotation.model_fields:
            assert f"\n{key} = " in text or f"\n# {key} = " in text or f"[[{name}.{key}]]" in text, key


def test_the_template_is_a_system_and_says_that_it_is_made_up():
    system = TableSystem.from_toml(template(), "template.toml")
    found = {p.status for p in system.material(system.reference).parameters.values()}
    assert Status.MEASURED not in found
    assert system.name.startswith("lszp-")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tables_keep_their_name_and_say_what_is_measured(name):
    system = get_system(name)
    assert system.name == name
    assert all(point.doi for point in system.table.conductivity.points)
    assert system.material(system.reference).parameters["measured_conductivity_S_per_m"].status is Status.MEASURED


def test_a_changed_table_is_another_system(tmp_path):
    text = read_table("latp")
    copy, changed = tmp_path / "copy.toml", tmp_path / "changed.toml"
    copy.write_text(text + "\n# a comment\n", "utf-8")
    changed.write_text(text.replace("value = 2.17", "value = 2.2"), "utf-8")
    assert get_system(str(copy)) == get_system("latp")
    assert get_system(str(copy)).name == "latp"
    other = get_system(str(changed))
    assert other != get_system("latp")
    assert other.name != "latp"
    assert other.name.startswith("latp-")


MISTAKES = {
    "not TOML": ('name = "lszp"', "name = lszp", "not valid TOML"),
    "section missing": (
        "[activation_energy]\npoints = ", "[conductivity.x]\npoints = ", r"\[activation_energy\] is missing",
    ),
    "key missing": ('coordinate = "Sc"', "", r"'host\.coordinate' is missing: add coordinate"),
    "key misspelt": ("solubility_limit =", "solubilty_limit =", "Did you mean 'solubility_limit'"),
    "prior misspelt": ("flaw_size_m =", "flaw_sise_m =", r"'mechanics\.flaw_sise_m'.*Did you mean 'flaw_size_m'"),
    "phase key misspelt": ("ScPO4 = { molar_volume", "ScPO4 = { volume", r"'phases\.ScPO4\.volume'.*molar_volume"),
    "number for a prior": (
        'boundary_weibull_modulus = { value = 8, factor = 1.35, status = "closure", source = '
        '"scatter of boundary strength" }',
        "boundary_weibull_modulus = 8",
        r"'mechanics\.boundary_weibull_modulus' = 8 must be a table: \{ value",
    ),
    "absurd spread": ("value = 5e-6, factor = 2", "value = 5e-6, factor = 1e300", r"'mechanics\.flaw_size_m\.factor'"),
    "both spreads": ("value = 5e-6, factor = 2", "value = 5e-6, sd = 1e-6, factor = 2", "either sd .* or factor"),
    "no source": ('source = "half a boundary energy"', 'source = ""', r"lithium_interface_energy.*a source is needed"),
    "measured without publication": (
        'sd = 0.2e6, status = "closure"', 'sd = 0.2e6, status = "measured"', "needs the publication in its source"),
    "unknown status": ('sd = 0.2e6, status = "closure"', 'sd = 0.2e6, status = "guessed"', "guessed.*'closure'"),
    "outside its range": ("film_conductance_loss = { value = 0.8", "film_conductance_loss = { value = 1.8",
                          "film_conductance_loss = 1.8 .* between 0 and 0.98"),
    "negative": ("flaw_size_m = { value = 5e-6, factor = 2", "flaw_size_m = { value = -5e-6, sd = 1e-6", "above 0"),
    "not a number": ("value = 0.03, factor = 5", 'value = "0.03", factor = 5', "valid number"),
    "infinite": ("value = 0.03, factor = 5", "value = inf, factor = 5", "finite"),
    "weak surface": ("surface_energy_J_per_m2 = { value = 1.0", "surface_energy_J_per_m2 = { value = 0.45", "7/12"),
    "no element": ('elements = ["Li", "Sc", "Zr"]', 'elements = ["Li", "Xx", "Zr"]', "'Xx' is no chemical element"),
    "not a symbol": ('elements = ["Li", "Sc", "Zr"]', 'elements = ["Li", "sc", "Zr"]', "symbol of an element"),
    "twice": ('elements = ["Li", "Sc", "Zr"]', 'elements = ["Li", "Sc", "Zr", "P"]', "P is named twice"),
    "charge unknown": (
        "spectators = { P = 3 }", "spectators = { P = 3, Au = 1 }", r"charge of Au is not known.*\[charges\]",
    ),
    "cation elsewhere": (
        'cations = ["Sc", "Zr"]', 'cations = ["Sc", "Hf"]', r"'fixed\.cations'.*Hf must be among Sc, Zr",
    ),
    "anion is a cation": ('anion = "O"', 'anion = "Na"', "must be a cation and fixed.anion .Na. an anion"),
    "host not neutral": ('formula = "LiZr2(PO4)3"', 'formula = "Li2Zr2(PO4)3"', "not neutral: its charge is .1"),
    "host of another frame": (
        'formula = "LiZr2(PO4)3"', 'formula = "Li3Zr1.5(PO4)3"', r"members\.0\.formula.*holds 1\.5 Sc . Zr .*says 2",
    ),
    "host of other spectators": (
        'formula = "LiZr2(PO4)3"', 'formula = "Li10Zr2(PO4)2O6"', r"it holds 2 P per formula unit, \[fixed\] says 3",
    ),
    "host of other anions": (
        'formula = "LiZr2(PO4)3"', 'formula = "Li3Zr2(PO4)3O"', r"12 and 13 O; the anions of one host must agree",
    ),
    "x of the end member": ('substituted = "Li2ScZr(PO4)3"', 'substituted = "Li3Sc2(PO4)3"', "'substituted' at x = 1"),
    "limit beyond the formula": ("solubility_limit = { value = 0.5", "solubility_limit = { value = 2.5", "up to 2,"),
    "phase not neutral": ("ScPO4 = {", "Sc2PO4 = {", r"'phases\.Sc2PO4\.formula': Sc2PO4 is not neutral.*Sc .3, P .5"),
    "phase of a foreign element": ("ScPO4 = {", "AlPO4 = {", "holds Al, which is not part of the system"),
    "phase that cannot be read": ("ScPO4 = {", '"S cPO" = {', "not a chemical formula|not part of the system"),
    "reducible elsewhere": ('reducible = "Zr"', 'reducible = "Ti"', "'Ti' must be among Sc, Zr, or left out"),
    "two values": ("x = 0.2, S_per_cm = 1e-4", "x = 0.2, S_per_cm = 1e-4, log10_S_per_cm = -4", "either S_per_cm or"),
    "DOI with a scheme": ("x = 0.2, S_per_cm = 1e-4,", 'x = 0.2, S_per_cm = 1e-4, doi = "https://doi.org/10.1/a",',
                          "10.NNNN/"),
    "polynomial of too few": ('law = "segments"  ', 'law = "polynomial"  ', "degree"),
    "reference elsewhere": ('reference = "Li1.3Sc0.3Zr1.7(PO4)3"', 'reference = "Li1.3Sc0.3Ti1.7(PO4)3"',
                            r"'system\.reference'.*Ti"),
    "reference without lithium": (
        'reference = "Li1.3Sc0.3Zr1.7(PO4)3"', 'reference = "ScPO4"', r"'system\.reference'.*no Li",
    ),
    "phase named as the host": ("ScPO4 = {", "NASICON = {", r"'phases\.NASICON': a secondary phase needs another name"),
    "end member twice": (
        "[phases]", template().split("[host]")[1].split("# A form")[0].partition("\n\n# End")[2].partition("\n")[2]
        + "\n[phases]", "same formula",
    ),
    "name": ('name = "lszp"', 'name = "My System"', "lower-case letters"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_explained_with_file_and_key(mistake, tmp_path):
    right, wrong, message = MISTAKES[mistake]
    assert right in template(), "the template changed: change the mistake too"
    text = template().replace(right, wrong, 1)
    if mistake == "polynomial of too few":
        text = text.replace("degree = 2", "degree = 3")
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        get_system(str(file))
    assert "mine.toml" in str(caught.value)
    assert caught.value.__suppress_context__
    assert "pydantic" not in str(caught.value).lower()


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(ConfigError, match=r"no file .*missing\.toml"):
        get_system(str(tmp_path / "missing.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.toml cannot be read"):
        get_system(str(tmp_path / "folder.toml"))
    (tmp_path / "latin.toml").write_bytes('title = "é"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        get_system(str(tmp_path / "latin.toml"))
    (tmp_path / "empty.toml").write_text("", "utf-8")
    with pytest.raises(ConfigError, match=r"section \[system\] is missing") as caught:
        TableSystem.load(tmp_path / "empty.toml")
    assert str(caught.value).count("\n") > 5


def test_several_mistakes_are_told_at_once(tmp_path):
    text = template().replace('coordinate = "Sc"', "").replace("flaw_size_m =", "flaw_sise_m =")
    with pytest.raises(ConfigError) as caught:
        TableSystem.from_toml(text, "mine.toml")
    assert "host.coordinate" in str(caught.value)
    assert "flaw_size_m" in str(caught.value)


def test_a_composition_that_no_phase_can_hold_is_refused():
    text = "\n".join(line for line in template().splitlines() if not line.startswith(("Li2O", "glass")))
    system = TableSystem.from_toml(text, "mine.toml")
    system.assemblage(system.reference)
    with pytest.raises(CompositionError, match="phase table lacks a phase"):
        system.assemblage(system.read({"Li": 20, "Sc": 1, "Zr": 1}).composition)


# --- curves ------------------------------------------------------------------------------------------------------


def curve(points, **options):
    rows = [{"x": x, "log10_S_per_cm": v, "sd": s, "doi": d} for x, v, s, d in points]
    return ConductivitySection.model_validate({"points": rows, **options})


ROWS = ((0.0, -6.0, 0.5, "10.1234/a"), (0.2, -4.0, 0.3, "10.1234/a"), (0.4, -3.6, 0.1, "10.1234/b"),
        (0.4, -3.4, 0.3, "10.1234/c"))  # fmt: skip


@pytest.mark.parametrize(
    ("x", "value", "sd", "status", "cited"),
    [
        (0.0, -6.0, 0.5, Status.MEASURED, "doi:10.1234/a"),
        (0.1, -5.0, 0.4, Status.CLOSURE, "no row between"),  # two decades apart
        (0.2, -4.0, 0.3, Status.MEASURED, "doi:10.1234/a"),
        (0.3, -3.75, (0.3 + math.sqrt(0.05)) / 2, Status.MEASURED, "doi:10.1234/c"),
        (0.4, -3.5, math.sqrt(0.05), Status.MEASURED, "doi:10.1234/b, doi:10.1234/c"),
        (0.7, -3.5, math.hypot(math.sqrt(0.05), 0.3), Status.CLOSURE, "beyond the rows"),
    ],
)
def test_straight_pieces(x, value, sd, status, cited):
    found = conductivity(curve(ROWS), x)
    assert found.value == pytest.approx(value)
    assert found.sd == pytest.approx(sd)
    assert found.status is status
    assert cited in found.source


def test_a_polynomial_solves_its_normal_equations_and_is_held_outside():
    rows = (*ROWS, (0.6, -3.7, 0.2, "10.1234/c"), (0.8, -4.2, 0.2, "10.1234/c"))
    section = curve(rows, law="polynomial", degree=2)
    n = {"10.1234/a": 2, "10.1234/b": 1, "10.1234/c": 3}
    residuals = [(conductivity(section, x).value - v) / s**2 / math.sqrt(n[d]) for x, v, s, d in rows]
    for power in range(3):
        assert np.array(residuals) @ np.array([x**power for x, *_ in rows]) == pytest.approx(0, abs=1e-9)
    end, beyond = conductivity(section, 0.8), conductivity(section, 1.3)
    assert beyond.value == pytest.approx(end.value)
    assert beyond.sd == pytest.approx(math.hypot(end.sd, 0.5))
    assert (end.status, beyond.status) == (Status.MEASURED, Status.CLOSURE)


def test_an_activation_energy_beyond_its_rows_grows_uncertain():
    section = EnergySection.model_validate({"points": [{"x": 0.3, "eV": 0.3, "sd": 0.03, "doi": "10.1234/a"}]})
    assert activation_energy(section, 0.3).status is Status.MEASURED
    far = activation_energy(section, 0.8)
    assert (far.value, far.status) == (0.3, Status.CLOSURE)
    assert far.sd == pytest.approx(math.hypot(0.03, 0.1))


# --- four elements -----------------------------------------------------------------------------------------------


def test_four_elements_mix_their_end_members():
    four = get_system(str(DATA / "four_elements.toml"))
    assert four.elements == ("Li", "Al", "Ge", "Ti")
    half = four.from_coordinates(0.2)
    assert four.formula(half) == "Li1.2Al0.2Ge0.9Ti0.9(PO4)3"  # germanium and titanium as in the reference
    only_ti = four.read("Li1.2Al0.2Ti1.8(PO4)3").composition
    for composition in (half, only_ti, four.read("Li1.3Al0.3Ge0.5Ti1.2(PO4)3").composition):
        found = four.assemblage(composition)
        assert found.host_fraction == pytest.approx(1, abs=1e-9)
        assert found.host_coordinate == pytest.approx(four.coordinates(composition)[0], abs=1e-9)
    beyond = four.assemblage(four.read("Li1.8Al0.8Ge0.6Ti0.6(PO4)3").composition)
    assert beyond.host_coordinate == pytest.approx(0.5)
    assert beyond.host_fraction < 1
    poor = four.assemblage(four.from_coordinates(0.3, -0.3))
    assert {"AlPO4"} < set(poor.secondary)


# --- judged by rows that did not make the tables -------------------------------------------------------------------


@pytest.mark.parametrize(("name", "stated"), [("latp", (-0.22, 0.84)), ("llzo", (0.27, 0.27))])
def test_other_laboratories_scatter_about_the_curve(name, stated):
    """The numbers are those of the documentation; laboratories differ by two decades at one composition of LATP."""
    system = get_system(name)
    used = {(p.x, p.doi.lower()) for p in system.table.conductivity.points}
    with (DATA / f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert not used & {(float(r["x"]), r["doi"].lower()) for r in rows}
    errors, z = [], []
    for row in rows:
        p = system.material(system.from_coordinates(float(row["x"]))).parameters["measured_conductivity_S_per_m"]
        errors.append(math.log10(p.value / 100 / float(row["sigma_S_per_cm"])))
        z.append(errors[-1] * math.log(10) / p.spread.sd)
    assert (np.median(errors), math.sqrt(np.mean(np.square(errors)))) == pytest.approx(stated, abs=0.03)
    assert np.mean(np.abs(z) < 2) >= 0.7
