"""What goes wrong with accounts."""

from kernel.errors import Forbidden, NotFound, Unauthenticated


class LinkInvalid(NotFound):
    """The link was used, replaced or revoked, its time is over, or it was never one."""

    code = "link_invalid"
    title = "This link does not work any more"


class WrongCredentials(Unauthenticated):
    """Address and password do not belong together. Which of them is wrong is not told."""

    code = "wrong_credentials"
    title = "The address or the password is not right"


class NotConfirmed(Forbidden):
    """The password is right, but the address was not proven yet."""

    code = "not_confirmed"
    title = "Confirm your address first"


class WrongCode(Unauthenticated):
    """It is no code of the account's authenticator and no recovery code, or it was used before."""

    code = "wrong_code"
    title = "This code is not right, or it was used before"

    def __init__(self, field: str = "code") -> None:
        super().__init__("This code is not right, or it was used before. Wait for the next one.", field=field)
