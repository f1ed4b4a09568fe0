"""The house: one direction, no cycle, light imports, no foreign words."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "dynaphase"

# From left to right: a module may import from its left only.
ORDER = (
    "errors",
    "units",
    "citations",
    "composition",
    "settings",
    "materials.base",
    "materials.assemblage",
    "materials.conductivity",
    "materials.priors",
    "materials.sheet",
    "materials.conduction",
    "materials.structure",
    "materials.kinetics",
    "materials.draws",
    "materials.drawn",
    "materials.wetted",
    "materials.framework",
    "materials.lagp_phases",
    "materials.lagp_parameters",
    "materials.lagp",
    "materials.table_schema",
    "materials.table_errors",
    "materials.table_files",
    "materials.table_laws",
    "materials.table_phases",
    "materials.table",
    "materials",
    "phasefield.grid",
    "phasefield.compiled",
    "phasefield.operators",
    "phasefield.difference_loops",
    "phasefield.differences",
    "phasefield.free_energy",
    "phasefield.padding",
    "phasefield.chebyshev_loops",
    "phasefield.relaxation_loops",
    "phasefield.conserved_loops",
    "phasefield.field_loops",
    "phasefield.elliptic",
    "phasefield.multigrid_loops",
    "phasefield.multigrid",
    "phasefield.large_conduction",
    "phasefield.nonlinear",
    "phasefield.contract",
    "phasefield.terms",
    "phasefield.scratch",
    "phasefield.stepping",
    "phasefield.euler",
    "phasefield.chebyshev_work",
    "phasefield.chebyshev",
    "phasefield.steppers",
    "phasefield.charges",
    "phasefield.spectral_loops",
    "phasefield.spectral_basis",
    "phasefield.spectral_model",
    "phasefield.spectral",
    "phasefield.simulate",
    "phasefield.models.allen_cahn",
    "phasefield.models.cahn_hilliard",
    "phasefield.models.coupled",
    "phasefield.models.gradient_flow",
    "phasefield.models",
    "phasefield",
    "electrolyte.paper_loops",
    "electrolyte.periodic_geometry",
    "electrolyte.microstructure",
    "electrolyte.eikonal_loops",
    "electrolyte.eikonal",
    "electrolyte.paper",
    "electrolyte.sintering",
    "electrolyte.conduction",
    "electrolyte.interphase_loops",
    "electrolyte.interphase",
    "electrolyte.penetration_loops",
    "electrolyte.penetration",
    "electrolyte.ceramic",
    "electrolyte.leakage",
    "electrolyte.operation",
    "electrolyte.aging",
    "electrolyte.potential",
    "electrolyte.contact",
    "electrolyte.drives",
    "electrolyte.current",
    "electrolyte.grain_growth_loops",
    "electrolyte.grain_growth",
    "electrolyte.grains",
    "electrolyte.furnace",
    "electrolyte",
    "testing",
    "pfhub",
    "descriptors",
    "calibration",
    "history",
    "records",
    "pareto",
    "early_stop",
    "calibration_fit",
    "material_inputs",
    "paper_chain",
    "physical_history",
    "physical_options",
    "physical_chain",
    "evaluation",
    "store",
    "polytope",
    "constraints",
    "prices",
    "samplers",
    "mixtures",
    "sections",
    "space",
    "analytic",
    "features",
    "surrogate",
    "acquisition",
    "validation",
    "config",
    "failures",
    "stopping",
    "first_design",
    "rounds",
    "identity",
    "levels",
    "outcomes",
    "training",
    "probabilities",
    "assessment",
    "recommend",
    "savings",
    "executors",
    "ensemble",
    "robustness",
    "journal",
    "sensitivity",
    "interruption",
    "lock",
    "choice",
    "learner",
    "observer",
    "steering",
    "campaign",
    "report",
    "saving",
    "display",
    "display_ensemble",
    "display_progress",
    "cli.application",
    "cli.arguments",
    "cli.json_output",
    "cli.campaigns",
    "cli.compositions",
    "cli.pfhub",
    "cli",
    "__main__",
)


UNORDERED = ("acquisition", "pfhub", "report", "saving", "surrogate", "validation")
"""Packages whose inner modules share one place; the test against cycles looks inside them too."""


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py")) if module_name(path)}


def own_imports(path: Path, *, is_at_module_level: bool = False) -> set[str]:
    """Modules of ours that a file imports, type-checking imports left out."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    nodes = tree.body if is_at_module_level else ast.walk(tree)
    for node in nodes:
        if id(node) in guarded:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dynaphase":
            home = (node.module or "").removeprefix("dynaphase").removeprefix(".")
            names = {f"{home}.{alias.name}".strip(".") for alias in node.names}
            found |= {name if name in MODULES else home for name in names}
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("dynaphase.") for a in node.names if a.name.startswith("dynaphase.")}
    return found - {""}


def rank(module: str) -> int:
    """Place in the order; a package's inner modules share the place of their package unless named."""
    while module not in ORDER:
        assert "." in module, f"'{module}' has no place in the order of modules: give it one"
        module = module.rpartition(".")[0]
    return ORDER.index(module)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_to_the_left(module: str) -> None:
    for imported in own_imports(MODULES[module]):
        inside = module.split(".", maxsplit=1)[0] == imported.split(".")[0] in UNORDERED
        assert inside or rank(imported) < rank(module), f"{module} imports {imported}, which is not to its left"


def test_the_import_graph_has_no_cycle() -> None:
    graph = {module: own_imports(path, is_at_module_level=True) & set(MODULES) for module, path in MODULES.items()}
    done: set[str] = set()
    while len(done) < len(graph):
        ready = {module for module, needs in graph.items() if module not in done and needs <= done}
        assert ready, f"a cycle among {sorted(set(graph) - done)}"
        done |= ready


def test_every_place_in_the_order_is_taken() -> None:
    assert set(ORDER) <= set(MODULES)


def test_phasefield_knows_nothing_of_materials_or_learning() -> None:
    allowed = {"errors", "units"}
    for module, path in MODULES.items():
        if module.startswith("phasefield"):
            outside = {name for name in own_imports(path) if not name.startswith("phasefield")}
            assert outside <= allowed, f"{module} imports {outside - allowed}"


def test_electrolyte_knows_the_engine_alone() -> None:
    for module, path in MODULES.items():
        if module.startswith("electrolyte"):
            for name in own_imports(path):
                inside = name.startswith(("electrolyte", "phasefield"))
                assert inside or name in {"errors", "units"}, f"{module} imports {name}"


def test_only_store_saving_and_report_write_files() -> None:
    writers = {"store", "report", "saving", "campaign"}  # campaign: its configuration and lock, nothing else
    for module, path in MODULES.items():
        if module.split(".")[0] not in writers:
            calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
            methods = {call.attr for call in calls if isinstance(call, ast.Attribute)}
            functions = {call.id for call in calls if isinstance(call, ast.Name)}
            writing = methods & {"write_text", "write_bytes", "to_zarr", "savefig"} | functions & {"open"}
            assert not writing, f"{module} writes files ({writing})"


@pytest.mark.parametrize(
    "statement", ["import dynaphase", "import dynaphase.cli", "from dynaphase import Composition, Campaign"]
)
def test_importing_is_light(statement: str) -> None:
    heavy = {"torch", "numba", "matplotlib", "botorch", "gpytorch", "statsmodels", "pandas", "xarray"}
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not heavy & set(loaded), f"'{statement}' loads {sorted(heavy & set(loaded))}"
