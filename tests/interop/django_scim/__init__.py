"""A Django project that is nothing but django-scim2, as an independent target for tests."""
