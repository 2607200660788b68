"""Everything together. Whoever adds a kind of state adds its rules and its kinds here."""

from tests.convergence import channels, messages, passing, people
from tests.convergence.channels import Channels
from tests.convergence.messages import Messages
from tests.convergence.passing import Passing
from tests.convergence.people import People


class Convergence(Channels, Messages, People, Passing):
    """Random histories by several users, whose clients must know what a fresh reader would."""

    kinds = (*channels.KINDS, *messages.KINDS, *people.KINDS, *passing.KINDS)
