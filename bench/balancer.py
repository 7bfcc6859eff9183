"""A hundred replicas: which way of choosing one keeps the wait short, and which finds the pictures that a replica has read already?

    python bench/balancer.py [--replicas 100] [--hot 0.2]

Simulated (scaling/balancer.py): nothing is measured but the microseconds of processor time that a choice takes. Every row is the same
arrivals. A gateway knows of its own calls; the service's own way (`shipped`) also of what replicas report once a second.
"""

from __future__ import annotations

import argparse

from scaling.balancer import WAYS, Fleet, simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=100)
    parser.add_argument("--hot", type=float, default=0.0, help="the share of calls about one and the same picture")
    arguments = parser.parse_args()
    for gateways in (1, 3, 24):
        fleet = Fleet(replicas=arguments.replicas, gateways=gateways, hot=arguments.hot)
        print(f"\n{fleet.replicas} replicas of {fleet.slots} slots, {fleet.load:.0%} busy; {gateways} gateway(s)")
        print(f"{'':<22} {'wait p50':>10} {'p99':>10} {'worst':>10} {'known pictures':>15} {'most / mean':>12} {'a choice':>10}")
        for name, (way, apart) in WAYS.items():
            told = simulate(fleet, way, apart)
            waits = f"{1000 * told.wait_p50:>7.0f} ms {1000 * told.wait_p99:>7.0f} ms {1000 * told.wait_worst:>7.0f} ms"
            print(f"{name:<22} {waits} {told.hits:>15.1%} {told.most:>12.2f} {told.choice_us:>7.1f} us", flush=True)


if __name__ == "__main__":
    main()
