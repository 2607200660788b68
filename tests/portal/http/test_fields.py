"""A form changes what its page has fields for, and the pages' scripts run nothing that comes with a page."""

import pytest
from litestar.enums import RequestEncodingType
from litestar.testing import RequestFactory

from kernel.errors import InvalidInput
from portal.apps.settings.deeds import ConfirmForm
from portal.http.forms import Form, read_form
from portal.http.templates import HTMX
from portal.organizations.forms import CloseForm


@pytest.mark.parametrize("kind", [CloseForm, ConfirmForm])
@pytest.mark.parametrize("extra", ["role", "organization_id", "owner_email", "staff", "plan", "__class__", ""])
async def test_a_field_that_the_page_does_not_have_is_refused(kind: type[Form], extra: str) -> None:
    own = {name: "x" for name in kind.__struct_fields__}
    factory, form = RequestFactory(), RequestEncodingType.URL_ENCODED
    await read_form(factory.post("/", data=own, request_media_type=form), kind)
    with pytest.raises(InvalidInput, match="does not have"):
        await read_form(factory.post("/", data={**own, extra: "owner"}, request_media_type=form), kind)


def test_scripts_of_pages_run_nothing_and_keep_nothing() -> None:
    assert (HTMX["allowEval"], HTMX["allowScriptTags"], HTMX["historyCacheSize"]) == (False, False, 0)
    assert HTMX["selfRequestsOnly"] is True
