"""People who work in the admin."""

from django.contrib.auth.models import Group, Permission
from django.test import Client

from members.models import User
from tests.factories.members import UserFactory


def staff(*permissions: str, group: str = "", superuser: bool = False) -> User:
    """A staff user with these rights ("members.view_member"), those of a group, or all."""
    user = UserFactory(is_staff=True, is_superuser=superuser)
    for label in permissions:
        app, codename = label.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def logged_in(user: User) -> Client:
    """A client with this user's session."""
    client = Client()
    client.force_login(user)
    return client
