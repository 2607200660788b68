import socket

from ops import ports
from ops.ports import HIGHEST, free_port, holder, is_free


def test_a_free_port_is_below_those_that_the_system_hands_out():
    port = free_port()
    assert is_free(port)
    assert port < HIGHEST
    assert port + 10_000 < 32_768, "a Redis Cluster bus fits as well"


def test_a_taken_port_is_found_out_with_its_holder():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        assert "process" in holder(port)
    assert holder(port) is None
    assert is_free(port)


def test_a_server_on_all_addresses_takes_the_port_of_one():
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_processes_that_share_do_not_draw_each_others_ports(monkeypatch):
    drawn = []
    monkeypatch.setattr(ports, "_share", (0, 1))
    for index in range(3):
        ports.keep_to_share(index, 3)
        drawn.append({free_port() for _ in range(40)})
    assert max(drawn[0]) < min(drawn[1])
    assert max(drawn[1]) < min(drawn[2])
    assert max(drawn[2]) < HIGHEST
