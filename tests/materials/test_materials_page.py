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
    pages = [page.read_text("utf-8") for page in script.PAGES]
    for name in script.SECTIONS:
        assert sum(f"<!-- generated: {name} -->" in page for page in pages) == 1
    for page in pages:
        assert script.render(page) == page, "run: python docs/make_parameter_table.py"
