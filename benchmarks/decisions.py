"""How few simulations does deciding well need?  Campaigns on tabulated landscapes, against random and other tools.

    python benchmarks/decisions.py [--quick] [--json] [-o FILE] [--seeds N] [--workers N] [--only NAME,…] [--finished]
    python benchmarks/decisions.py --landscape FILE.csv --objectives a:max,b:max [--components x,y,z] [--system NAME]
    python benchmarks/decisions.py --render            # figures and tables of docs/decisions.md from results.json

One JSON document on standard output, progress on standard error.  Finished games are kept in a journal beside the
output (`-o FILE` → FILE.journal), and the same command goes on.  What every key means: docs/decisions.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is loaded: games are small, threads would only wait for each other

sys.path.insert(0, str(Path(__file__).parent))

from decisions.choosing_cost import measured_cost  # noqa: E402
from decisions.games import Source, games_of, play_all, read_journal, sources_of  # noqa: E402
from decisions.mixtures import FUNCTIONS  # noqa: E402
from decisions.results import summarise  # noqa: E402
from decisions.tables import SIMULATED, TABLES  # noqa: E402
from dynaphase.errors import DynaPhaseError, InputError  # noqa: E402

HERE = Path(__file__).parent / "decisions"
QUICK = ("neighbourhood",)
QUICK_WITHOUT_TABLES = ("kink3",)


def sources_from(arguments: argparse.Namespace) -> list[Source]:
    """Which landscapes: a CSV, those named, or all."""
    if arguments.landscape is not None:
        pairs = [item.rpartition(":") for item in (arguments.objectives or "").split(",") if item]
        if not pairs or any(not column for column, _, _ in pairs):
            raise InputError("--landscape needs --objectives COLUMN:max,COLUMN:min,…")
        components = tuple(filter(None, (arguments.components or "").split(",")))
        objectives = tuple((column, direction) for column, _, direction in pairs)
        name = arguments.landscape.name.split(".")[0]
        path = str(arguments.landscape)
        source = Source(name, False, "", path, objectives, components, arguments.system)
        found = [source]
        if source.landscape().z.shape[1] > 1:
            found.append(Source(name, True, "", path, objectives, components, arguments.system))
        return found
    if arguments.only:
        return sources_of(arguments.only.split(","), arguments.tables)
    if arguments.quick:
        quick = sources_of(QUICK, arguments.tables) or sources_of(QUICK_WITHOUT_TABLES)
        return quick[:1]
    return sources_of((*SIMULATED, *FUNCTIONS), arguments.tables)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The document."""
    sources = sources_from(arguments)
    n_seeds = arguments.seeds or (3 if arguments.quick else 20)
    games = games_of(sources, n_seeds)
    journal = arguments.output.with_suffix(".journal") if arguments.output else None
    if arguments.finished:
        there = read_journal(journal)
        games = [game for game in games if game.key in there]
        if not games:
            raise InputError("no game has been finished: --finished needs -o FILE and its FILE.journal")
    played = play_all(games, journal, arguments.workers)
    document = summarise(sources, games, played)
    if arguments.finished and arguments.output.exists():  # what was measured in an earlier run stands
        document["choosing"] = json.loads(arguments.output.read_text(encoding="utf-8")).get("choosing", {})
    else:
        document["choosing"] = {} if arguments.landscape else measured_cost()
    return document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three seeds, one landscape: minutes")
    parser.add_argument("--json", action="store_true", help="the document on standard output (always)")
    parser.add_argument("-o", "--output", type=Path, help="write the document to this file as well")
    parser.add_argument("--seeds", type=int, help="campaigns of each strategy on each landscape; 20, or 3 with --quick")
    parser.add_argument("--workers", type=int, default=1, help="games at a time")
    parser.add_argument("--finished", action="store_true", help="play nothing more: what the journal has so far")
    parser.add_argument("--only", help="built-in landscapes, with commas between them")
    parser.add_argument("--landscape", type=Path, help="a CSV of compositions and outcomes to play on instead")
    parser.add_argument("--objectives", help="its outcomes and which way is better: a:max,b:min")
    parser.add_argument("--components", help="its columns of the composition, if they are not named as elements")
    parser.add_argument("--system", help="material system behind it: lagp, latp, llzo or a table")
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder of the simulated landscapes")
    parser.add_argument("--render", action="store_true", help="only write figures and tables of docs/decisions.md")
    arguments = parser.parse_args()
    try:
        if arguments.render:
            from decisions.render import render

            render(arguments.output or HERE / "results.json")
            return
        document = run(arguments)
    except DynaPhaseError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    text = json.dumps(document, indent=1, ensure_ascii=False)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
