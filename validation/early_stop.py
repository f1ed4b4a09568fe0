"""What ending hopeless runs early saves, and whether it ever ended one that belonged to the front.

    python validation/early_stop.py [--sampler simplex] [--fidelity 128] [--n 30] [--first 10]

Random compositions of LAGP, one microstructure each.  The first ones stand for the initial design and are simulated in
full.  Every later one is simulated twice: in full, and with early stopping against the front of all before it, as in a
campaign.  Prints JSON: CPU seconds, how many were stopped and where, and how many of those lie on the Pareto front (S
and each σ) of all full simulations.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from dynaphase.early_stop import EarlyStop
from dynaphase.evaluation import evaluate_candidate
from dynaphase.materials import get_system
from dynaphase.pareto import is_pareto_optimal
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.samplers import make_sampler
from dynaphase.settings import make_settings
from dynaphase.space import CompositionSpace

_OBJECTIVES = ("stability_score", "ionic_conductivity_S_per_cm", "ceramic_conductivity_S_per_cm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampler", default="simplex")
    parser.add_argument("--fidelity", default="128")
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--first", type=int, default=10)
    asked = parser.parse_args()
    system = get_system("lagp")
    space = CompositionSpace(system, make_sampler(asked.sampler, system))
    settings = make_settings("physical", {"fidelity": asked.fidelity}).model_dump()
    full: list[Record] = []
    known: list[Record] = []
    cpu_full = cpu_stopped = 0.0
    stopped: dict[str, Record] = {}
    for number, composition in enumerate(space.sample(asked.n, np.random.default_rng(0))):
        candidate = Candidate(composition, 0, system.name, "physical", settings)
        whole = evaluate_candidate(candidate, system)
        full.append(whole)
        if number < asked.first:
            known.append(whole)
            continue
        record = evaluate_candidate(candidate, system, early_stop=EarlyStop.beyond(known))
        known.append(record)
        cpu_full += whole.cpu_seconds
        cpu_stopped += record.cpu_seconds
        if record.status is RecordStatus.STOPPED:
            stopped[record.key] = record
    done = [record for record in full if record.is_done]
    on_front = is_pareto_optimal(np.array([[record.values[name] for name in _OBJECTIVES] for record in done]))
    front = {record.key for record, is_there in zip(done, on_front, strict=True) if is_there}
    before_rest = sum("stability_score" not in record.values for record in stopped.values())
    print(
        json.dumps(
            {
                "n_later": asked.n - asked.first,
                "n_failed_later": sum(record.is_failed for record in full[asked.first :]),
                "n_stopped_before_the_rest": before_rest,
                "n_stopped_before_the_sweep": len(stopped) - before_rest,
                "n_stopped_on_the_front": len(front & stopped.keys()),
                "n_on_the_front": len(front),
                "cpu_seconds_in_full": round(cpu_full, 1),
                "cpu_seconds_with_early_stop": round(cpu_stopped, 1),
                "share_saved": round(1.0 - cpu_stopped / cpu_full, 3),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
