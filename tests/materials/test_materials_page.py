"""The documentation's numbers are the package's."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_generated_parts_are_up_to_date():
    spec = importlib.util.spec_from_file_location("make_parameter_table", DOCS / "make_parameter_table.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (DOCS / "materials.md").read_text("utf-8")
    for name in script.SECTIONS:
        assert f"<!-- generated: {name} -->" in page
    assert script.render(page) == page, "run: python docs/make_parameter_table.py"
