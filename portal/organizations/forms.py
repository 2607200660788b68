"""The forms of organizations and of their new apps."""

from typing import Annotated, Final

from portal.http.forms import Field, Form

ENVIRONMENTS: Final = (
    ("development", "Development", "For building and trying out. The demo works here."),
    ("production", "Production", "For the people who use your product."),
)


class OrganizationForm(Form, frozen=True, kw_only=True):
    organization: Annotated[str, Field("Name", blank="Enter a name.")] = ""
    new_id: str = ""


class TransferForm(Form, frozen=True, kw_only=True):
    member: Annotated[str, Field("New owner", blank="Choose a member.")] = ""


class CloseForm(Form, frozen=True, kw_only=True):
    organization: Annotated[str, Field("Name", blank="Type the organization's name.")] = ""


class TwoStepRuleForm(Form, frozen=True, kw_only=True):
    required: str = ""


class SureForm(Form, frozen=True, kw_only=True):
    """One button."""


class AppForm(Form, frozen=True, kw_only=True):
    app: Annotated[str, Field("Name", blank="Enter a name.")] = ""
    environment: Annotated[str, Field("Environment", blank="Choose one.")] = ""
    new_id: str = ""


class WelcomeForm(Form, frozen=True, kw_only=True):
    """The first organization and its first app. The form carries two ids: one record each."""

    organization: Annotated[str, Field("Organization", blank="Enter the name of your company or team.")] = ""
    app: Annotated[str, Field("App", blank="Enter a name for your app.")] = ""
    new_id: str = ""
    new_app_id: str = ""
