"""A service app with a private key, with and without DPoP, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from syncd.simulators.okta import ServiceClient
from tests.e2e.rig import rig


@pytest.mark.parametrize("dpop", [False, True])
def test_a_service_app_reads_and_check_names_its_scopes(tmp_path: Path, *, dpop: bool) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with rig(tmp_path, users=12, groups=2) as made:
        made.okta.gate.register(ServiceClient("0oaSERVICE", public.decode(), dpop=dpop, key_id="k1"))
        secret = tmp_path / "key.pem"
        secret.write_bytes(private)
        secret.chmod(0o600)
        made.write_config(
            okta='auth = "private_key"\nclient_id = "0oaSERVICE"\nprivate_key = { file = "key.pem" }\n'
            f'key_id = "k1"\ndpop = {str(dpop).lower()}'
        )
        text = made.config.read_text().replace('token = { env = "E2E_OKTA" }\n', "", 1)
        made.config.write_text(text)

        checks = made.run("check", "--json").document["checks"]
        made.sync()

        made.assert_exact()
        scopes = [check for check in checks if "scope" in check["name"]]
        assert scopes, [check["name"] for check in checks]
        assert {check["state"] for check in scopes} == {"ok"}
        assert not [said for said in made.said if "PRIVATE KEY" in said]
