"""What may stand in a guest's way."""

from kernel.errors import Forbidden


class GuestsOff(Forbidden):
    """The app lets no guests in. Its settings in the portal can change that."""

    code = "guests_off"
    title = "The app lets no guests in"
