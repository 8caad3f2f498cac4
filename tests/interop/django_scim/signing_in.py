"""Who has the token is signed in."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser


class Bearer:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        known = request.headers.get("Authorization") == f"Bearer {settings.SCIM_TOKEN}"
        request.user = get_user_model()(username="syncd") if known else AnonymousUser()
        return self.get_response(request)
