"""Pages."""

from ops.stripe_sim.http import Answer


class Pages:
    def __init__(self, simulator):
        self.simulator = simulator

    def answer(self, method, path, query, headers, body):
        return Answer(404, b"{}")
