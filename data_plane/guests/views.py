"""What a guest gets."""

from data_plane.identity.tokens.views import TokenPairView
from data_plane.users.views import UserView


class GuestView(TokenPairView):
    """The tokens of a new guest, and its profile."""

    user: UserView
