"""Members: invite, change, remove, leave."""

from urllib.parse import urlsplit

from tests.portal.apps.forms import submit
from tests.portal.harness import Portal, Somebody


async def team(portal: Portal) -> tuple[Somebody, Somebody, str]:
    """An owner, a developer, and the address of their members' page."""
    ada, grace = await portal.account("ada@example.com"), await portal.account("grace@example.com", "Grace Hopper")
    member = await portal.organization(ada)
    await portal.join(member, grace)
    return ada, grace, f"/organizations/{member.public_organization_id}/members"


async def test_who_is_invited_accepts_with_that_very_address(portal: Portal) -> None:
    ada, grace, members = await team(portal)
    client = await portal.client(ada)
    values = {"email": "guest@example.com", "role": "viewer"}
    assert (await submit(client, f"{members}/invite", f"{members}/invite", values)).status_code == 303
    page = (await client.get(members)).text
    assert "guest@example.com is invited." in page
    assert "Pending invitations" in page
    link = urlsplit(await portal.link("guest@example.com")).path

    stranger = await portal.client()
    offer = (await stranger.get(link)).text
    assert "Join Analytical Engines" in offer
    assert f"/sign-in?next={link}" in offer
    wrong = await (await portal.client(grace)).get(link)
    assert "This invitation is for another address." in wrong.text

    guest = await portal.client(await portal.account("guest@example.com", "Guest"))
    accepted = await submit(guest, link, link)
    assert accepted.headers["location"] == members.removesuffix("/members")
    assert "Viewer" in (await guest.get(members)).text
    assert (await guest.get(link)).status_code == 404


async def test_who_is_not_invited_cannot_accept_by_hand(portal: Portal) -> None:
    ada, grace, members = await team(portal)
    values = {"email": "guest@example.com", "role": "viewer"}
    await submit(await portal.client(ada), f"{members}/invite", f"{members}/invite", values)
    link = urlsplit(await portal.link("guest@example.com")).path
    client = await portal.client(grace)
    token = (await client.get("/account")).text.partition('name="csrf" value="')[2][:64]
    assert (await client.post(link, data={"csrf": token})).status_code == 403


async def test_inviting_says_what_is_wrong_beside_the_field(portal: Portal) -> None:
    ada, _, members = await team(portal)
    client, path = await portal.client(ada), f"{members}/invite"
    answer = await submit(client, path, path, {"email": "no address", "role": "viewer"})
    assert answer.status_code == 422
    assert "E-mail must be an e-mail address, such as ada@example.com." in answer.text
    assert 'value="no address"' in answer.text
    there = await submit(client, path, path, {"email": "grace@example.com", "role": "viewer"})
    assert there.status_code == 409
    assert "This person is a member already." in there.text
    role = await submit(client, path, path, {"email": "guest@example.com", "role": "emperor"})
    assert role.status_code == 422


async def test_an_invitation_is_taken_back(portal: Portal) -> None:
    ada, _, members = await team(portal)
    client = await portal.client(ada)
    await submit(client, f"{members}/invite", f"{members}/invite", {"email": "guest@example.com", "role": "viewer"})
    link = urlsplit(await portal.link("guest@example.com")).path
    action = (await client.get(members)).text.partition("/revoke")[0].rpartition('"')[2] + "/revoke"
    assert (await submit(client, members, action)).status_code == 303
    assert "guest@example.com" not in (await client.get(members)).text
    assert (await (await portal.client()).get(link)).status_code == 404


async def test_a_role_is_changed(portal: Portal) -> None:
    ada, grace, members = await team(portal)
    client, path = await portal.client(ada), f"{members}/{grace.person.public_id}"
    assert (await submit(client, path, f"{path}/role", {"role": "admin"})).status_code == 303
    assert "Grace Hopper is admin now." in (await client.get(members)).text
    assert "Invite member" in (await (await portal.client(grace)).get(members)).text


async def test_removing_asks_for_the_address_and_ends_access_at_once(portal: Portal) -> None:
    ada, grace, members = await team(portal)
    client, path = await portal.client(ada), f"{members}/{grace.person.public_id}"
    wrong = await submit(client, path, f"{path}/remove", {"email": "ada@example.com"})
    assert wrong.status_code == 422
    assert "Type grace@example.com to confirm." in wrong.text
    other = await portal.client(grace)
    assert (await other.get(members)).status_code == 200
    assert (await submit(client, path, f"{path}/remove", {"email": "Grace@Example.com"})).status_code == 303
    assert (await other.get(members)).status_code == 404


async def test_the_last_owner_stays(portal: Portal) -> None:
    ada, _, members = await team(portal)
    client, path = await portal.client(ada), members.replace("/members", "/leave")
    answer = await submit(client, path, path, {"organization": "Analytical Engines"})
    assert answer.status_code == 409
    assert "This is the only owner. Make another member an owner first." in answer.text
    assert (await client.get(members)).status_code == 200


async def test_who_leaves_asks_himself_by_name(portal: Portal) -> None:
    _, grace, members = await team(portal)
    client, path = await portal.client(grace), members.replace("/members", "/leave")
    assert (await submit(client, path, path, {"organization": "analytical"})).status_code == 422
    assert (await submit(client, path, path, {"organization": "Analytical Engines"})).status_code == 303
    assert (await client.get(members)).status_code == 404


async def test_a_developer_manages_nobody(portal: Portal) -> None:
    ada, grace, members = await team(portal)
    client = await portal.client(grace)
    page = (await client.get(members)).text
    assert "Invite member" not in page
    assert "Manage" not in page
    token = page.partition('name="csrf" value="')[2][:64]
    for verb, values in (("role", {"role": "viewer"}), ("remove", {"email": "ada@example.com"})):
        path = f"{members}/{ada.person.public_id}/{verb}"
        assert (await client.post(path, data={"csrf": token, **values})).status_code == 403
    assert (await client.get(f"{members}/invite")).status_code == 403


async def test_somebody_of_another_organization_is_no_member(portal: Portal) -> None:
    ada, _, members = await team(portal)
    eve = await portal.account("eve@example.com")
    assert (await (await portal.client(ada)).get(f"{members}/{eve.person.public_id}")).status_code == 404


async def test_many_members_are_searched(portal: Portal) -> None:
    ada, grace, members = await team(portal)
    client = await portal.client(ada)
    found = (await client.get(f"{members}?search=hopp")).text.partition('id="members"')[2]
    assert grace.person.email in found
    assert "ada@example.com" not in found.partition("</table>")[0]
    assert "Nobody by that name" in (await client.get(f"{members}?search=zzz")).text
