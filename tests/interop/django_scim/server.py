"""django-scim2 over SQLite: `python -m tests.interop.django_scim.server FOLDER TOKEN` prints the port it listens on."""

import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

HOST = "127.0.0.1"
HERE = "tests.interop.django_scim"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_words):
        pass


def configure(folder, token):
    settings.configure(
        SECRET_KEY="only-for-tests",
        SCIM_TOKEN=token,
        ALLOWED_HOSTS=[HOST],
        ROOT_URLCONF=f"{HERE}.urls",
        USE_TZ=True,
        AUTH_USER_MODEL="people.User",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django_scim",
            f"{HERE}.apps.People",
        ],
        MIDDLEWARE=[f"{HERE}.signing_in.Bearer", "django_scim.middleware.SCIMAuthCheckMiddleware"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "people.db"}},
        LOGGING_CONFIG=None,
        SCIM_SERVICE_PROVIDER={
            "NETLOC": HOST,
            "SCHEME": "http",
            "AUTHENTICATION_SCHEMES": [
                {"type": "oauthbearertoken", "name": "token", "description": "a token"}
            ],
            "GROUP_MODEL": f"{HERE}.models.Group",
        },
    )
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)


if __name__ == "__main__":
    configure(Path(sys.argv[1]), sys.argv[2])
    with make_server(HOST, 0, get_wsgi_application(), handler_class=Quiet) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
