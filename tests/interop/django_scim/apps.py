"""The app's label, which AUTH_USER_MODEL names."""

from django.apps import AppConfig


class People(AppConfig):
    name = "tests.interop.django_scim"
    label = "people"
