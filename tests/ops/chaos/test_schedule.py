"""The schedule is the seed's, and leaves nothing out."""

from itertools import islice

from ops.chaos.schedule import BREAKS, LONG, NODES, PARTS, SERVERS, SHORT, strikes


def test_a_seed_repeats_its_schedule_and_another_has_another():
    assert list(islice(strikes(7, LONG, everything=True), 3)) == list(islice(strikes(7, LONG, everything=True), 3))
    assert next(strikes(7, LONG, everything=True)) != next(strikes(8, LONG, everything=True))


def test_a_long_round_does_everything_to_everything():
    done = {(strike.what, strike.target, strike.server) for strike in next(strikes(1, LONG, everything=True))}
    assert {("kill", part, "") for part in PARTS} <= done
    assert {("restart", part, "") for part in PARTS} <= done
    assert {("stop", part, "") for part in (*NODES, *SERVERS)} <= done
    assert {(what, node, server) for what in BREAKS for node in NODES for server in SERVERS} <= done
    assert {what for what, _, _ in done} >= {"tamper", "flush", "slow_consumer"}


def test_every_short_round_kills_all_silences_both_servers_and_does_some_of_the_rest():
    for seed in range(20):
        made = next(strikes(seed, SHORT, everything=False))
        whats = {strike.what for strike in made}
        assert {strike.target for strike in made if strike.what == "kill"} == set(PARTS)
        assert {s.server for s in made if s.what in ("swallow", "forget")} >= set(SERVERS)
        assert whats >= {"stop", "tamper", "flush", "slow_consumer"}
        assert all(strike.seconds <= 4 * SHORT.broken[1] for strike in made)
